int hull_child(int user, int *line);
