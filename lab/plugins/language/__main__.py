from lab.plugins.language.host import main

main()
