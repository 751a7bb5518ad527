long times(long a, long b);
