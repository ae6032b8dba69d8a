# WHAT: binds the name of the function to a number
# CLASS: verdict
# EXPECT: error
add = 3
