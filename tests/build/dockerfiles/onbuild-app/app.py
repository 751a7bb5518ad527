with open("installed") as said:
    print("app", said.read().strip())
