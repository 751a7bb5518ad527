#include "times.h"

long times(long a, long b) { return a * b; }
