# WHAT: a syntax tree nested too deeply for the compiler (made at run time)
# CLASS: resource
# EXPECT: error memory
import ast

PLACE = {"lineno": 1, "col_offset": 0}
tree = ast.Constant(1, **PLACE)
for _ in range(100_000):
    tree = ast.UnaryOp(ast.USub(), tree, **PLACE)
compile(ast.Expression(tree), "<tree>", "eval")


def add(a, b):
    return a + b
