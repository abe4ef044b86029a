-- all.lua -- require "sota.all" makes the book's names global, as
-- `from fastai.vision.all import *` does. Returns what require "sota" does.
local sota = require "sota"

-- Part -> names that become global. "" is sota itself.
local names = {
  [""] = "tensor zeros ones full arange rand randn randperm no_grad scope "
    .. "Learner help Interpretation",
  nn = "Module Parameter Conv2d WhiteningConv ConvLayer Linear BatchNorm MaxPool AvgPool "
    .. "AdaptiveAvgPool GlobalAvgPool AdaptiveConcatPool MaxBlurPool Flatten "
    .. "Dropout Sequential ModuleList Identity Lambda ReLU GELU SiLU Swish "
    .. "Mish Sigmoid Tanh SEModule SimpleSelfAttention ResBlock create_head",
  losses = "CrossEntropyLossFlat LabelSmoothingCrossEntropy "
    .. "LabelSmoothingCrossEntropyFlat FocalLossFlat BCEWithLogitsLossFlat "
    .. "MSELossFlat L1LossFlat",
  metrics = "accuracy error_rate top_k_accuracy accuracy_multi precision "
    .. "recall f1_score precision_multi recall_multi f1_score_multi "
    .. "confusion_matrix ClassReport",
  data = "DataBlock ImageBlock CategoryBlock MultiCategoryBlock "
    .. "ImageDataLoaders get_image_files parent_label grandparent_label "
    .. "RegexLabeller RandomSplitter GrandparentSplitter IndexSplitter "
    .. "FuncSplitter Resize RandomResizedCrop RandomCrop CropPad FlipItem "
    .. "AlternatingFlip cifar_transforms cifar10_stats "
    .. "aug_transforms RandomResizedCropGPU RandomErasing Normalize Flip "
    .. "Dihedral Rotate Zoom Warp Brightness Contrast Saturation Hue "
    .. "imagenet_stats cifar_stats read_csv ColReader ColSplitter URLs "
    .. "untar_data demo_data open_data",
  optim = "Adam AdamW SGD RMSProp RAdam QHAdam Lamb Larc LARS ranger slice "
    .. "decoupled_rates norms_apart",
  callbacks = "Callback Mixup MixUp CutMix GradientAccumulation GradientClip "
    .. "TerminateOnNaN CSVLogger ShortEpoch ProgressiveResize EMA "
    .. "EarlyStopping EarlyStoppingCallback SaveModel SaveModelCallback "
    .. "Checkpoint ReduceLROnPlateau BnFreeze LookaheadEMA TrainFor Report "
    .. "TensorBoard JSONLogger ActivationStats",
  model_file = "load_learner",
}

rawset(_G, "sota", sota)
rawset(_G, "nn", sota.nn)

for part, list in pairs(names) do
  local from = part == "" and sota or sota[part]
  for name in list:gmatch "%S+" do rawset(_G, name, from[name]) end
end
for _, name in ipairs(sota.models.list()) do
  rawset(_G, name, sota.models[name])
end

return sota
