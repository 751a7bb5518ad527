import os
import sys

if "--check" in sys.argv:
    print("checked")
else:
    print(f"hello {sys.argv[-1]} from {os.environ.get('APP_VERSION')} as {os.getuid()}")
