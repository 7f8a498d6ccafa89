// Unmaps the pages of the program's own file, and has them come back as small ones. See pages_linux.c.
void hull_small_file(void);
