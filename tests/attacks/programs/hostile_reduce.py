# WHAT: returns an object that opens a file for writing where it is unpickled or copied
# CLASS: containment
# EXPECT: wrong error
class Trap:
    def __reduce__(self):
        return open, ("@CANARY@/pickled", "w")

    def __deepcopy__(self, memo):
        return open("@CANARY@/copied", "w")


def add(a, b):
    return Trap()
