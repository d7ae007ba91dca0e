# x
x = 1
