# WHAT: raises an exception whose text is no text, and one whose text raises
# CLASS: verdict
# EXPECT: error
class Mute(Exception):
    def __str__(self):
        return 3


class Angry(Exception):
    def __str__(self):
        raise self


def add(a, b):
    raise Angry from Mute()
