"""The process of the gateway: `python -m xinghe.supervisor.worker`."""

import gc

if __name__ == "__main__":
    # What a start makes is to stay: to look through it again and again takes a tenth of a second.
    # `frozen_heap` has the collector work once all of it is there.
    gc.disable()

    from xinghe.supervisor.gateway import main

    gc.freeze()  # the modules: nothing has to be looked for in them
    main()
