module vds-platform.example/lab/images/pause

go 1.24
