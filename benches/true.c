/* The cheapest process there is: what an unannotated container is held against. */
int main(void) { return 0; }
