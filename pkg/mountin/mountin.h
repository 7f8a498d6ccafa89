#define HULL_NO_WAY_BACK (-1)

int hull_mount_in(const char *dir, const char *source, const char *target, const char *type, const char *options);
