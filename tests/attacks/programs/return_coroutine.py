# WHAT: is a coroutine function, whose result nobody awaits
# CLASS: verdict
# EXPECT: wrong error
async def add(a, b):
    return a + b
