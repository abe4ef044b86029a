"""The chapter's pipeline in fastai, for fastai_loader.py and fastai_train.py."""
from fastai.vision.all import (CategoryBlock, DataBlock, GrandparentSplitter,
                               ImageBlock, Normalize, Resize, aug_transforms,
                               get_image_files, imagenet_stats, parent_label)


def loaders(data, item_size, size, bs, workers, images=0):
    """DataLoaders over data/train and data/val; images: only so many of them
    for training (every k-th; 0: all)."""
    def items(path):
        train = sorted(get_image_files(path / "train"))
        if images and images < len(train):
            train = [train[i * len(train) // images] for i in range(images)]
        return train + list(get_image_files(path / "val"))

    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock), get_items=items,
        get_y=parent_label,
        splitter=GrandparentSplitter(train_name="train", valid_name="val"),
        item_tfms=Resize(item_size),
        batch_tfms=[*aug_transforms(size=size, min_scale=0.75),
                    Normalize.from_stats(*imagenet_stats)])
    return block.dataloaders(data, bs=bs, num_workers=workers)
