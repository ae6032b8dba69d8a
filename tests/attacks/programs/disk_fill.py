# WHAT: fills its private /tmp until refused; answers rightly only if that comes early
# CLASS: resource
# EXPECT: passed
written = 0
for number in range(64):
    try:
        with open(f"/tmp/fill{number}", "wb") as file:
            for _ in range(8):
                file.write(b"x" * (1 << 20))
                written += 1
    except OSError:
        break


def add(a, b):
    return a + b if written <= 128 else None
