"""Our models and decoders in lm-evaluation-harness: `xpflow lm-eval` is its command line with model `xpflow`.

`lm.py` alone imports lm_eval, which is an extra (`pip install xpflow[lm-eval]`).
"""
