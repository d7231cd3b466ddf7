from xinghe.cli.main import main

main()
