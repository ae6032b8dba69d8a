# WHAT: returns a list and a dict that contain each other
# CLASS: resource
# EXPECT: wrong error
def add(a, b):
    found = []
    found.append({"all": found})
    return found
