/* A library of which nothing is wanted but that it is loaded. */
int nothing;
