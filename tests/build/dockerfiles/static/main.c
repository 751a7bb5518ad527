#include <stdio.h>

int main(void)
{
    puts("static " VERSION);
    return 0;
}
