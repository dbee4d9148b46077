"""Command line of pre-training, `python -m train.pretrain`: see train.pretrain.training."""

from train.pretrain.training import main

if __name__ == "__main__":
    main()
