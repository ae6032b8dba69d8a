# WHAT: is an asynchronous generator
# CLASS: verdict
# EXPECT: wrong error
async def add(a, b):
    yield a + b
