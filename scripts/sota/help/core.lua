---@meta
-- help/core.lua -- the descriptions of functions that are written in C, in the
-- form of those in Lua. Nothing here runs: help/source.lua reads it.

-- --- making tensors ------------------------------------------------------------

--- A tensor of numbers: a number, or a list, nested as deep as it has
--- dimensions. Whole numbers give f32 too, unless dtype says otherwise.
---@param values number|table
---@param options? {dtype: string, device: string, requires_grad: boolean}
---@return Tensor
---@example sota.tensor{{1, 2}, {3, 4}}
function core.tensor(values, options) end

--- Zeros of a shape: zeros(2, 3), zeros{2, 3}, zeros({2, 3}, {dtype = "i32"}).
---@param ... integer|integer[] the sizes
---@return Tensor
---@example sota.zeros(2, 3)
function core.zeros(...) end

--- Ones of a shape, as zeros.
---@param ... integer|integer[] the sizes
---@return Tensor
---@example sota.ones(2, 3)
function core.ones(...) end

--- A shape filled with one number.
---@param shape integer[]
---@param value number
---@param options? {dtype: string, device: string, requires_grad: boolean}
---@return Tensor
---@example sota.full({2, 3}, 0.5)
function core.full(shape, value, options) end

--- The numbers 1, 2, ... n; or from first to last, both included, in steps.
---@param first integer or n
---@param last? number
---@param step? number
---@param options? {dtype: string, device: string, requires_grad: boolean}
---@return Tensor
---@example sota.arange(5)
function core.arange(first, last, step, options) end

--- Zeros of the shape, dtype and device of another tensor.
---@param t Tensor
---@return Tensor
---@example sota.zeros_like(t)
function core.zeros_like(t) end

--- Ones of the shape, dtype and device of another tensor.
---@param t Tensor
---@return Tensor
---@example sota.ones_like(t)
function core.ones_like(t) end

--- A number, in the shape, dtype and device of another tensor.
---@param t Tensor
---@param value number
---@return Tensor
---@example sota.full_like(t, 7)
function core.full_like(t, value) end

--- Uniform in [0, 1), in the shape of another tensor.
---@param t Tensor
---@return Tensor
---@example sota.rand_like(t)
function core.rand_like(t) end

--- Standard normal, in the shape of another tensor.
---@param t Tensor
---@return Tensor
---@example sota.randn_like(t)
function core.randn_like(t) end

--- Is v a tensor?
---@param v any
---@return boolean
---@example sota.is_tensor(t)
function core.is_tensor(v) end

-- --- gradients and memory -------------------------------------------------------

--- f(...) with nothing recorded for backward.
---@param f function
---@param ... any its arguments
---@return any ... what f returns
---@example sota.no_grad(model, x)
function core.no_grad(f, ...) end

--- f(...) with recording on, inside a no_grad.
---@param f function
---@param ... any its arguments
---@return any ... what f returns
---@example sota.no_grad(sota.enable_grad, model, x)
function core.enable_grad(f, ...) end

--- f(...), after which every tensor that f made is closed, but for those that it
--- returns and those that were kept.
---@param f function
---@param ... any its arguments
---@return any ... what f returns
---@example sota.scope(function() return (t * 2 + 1):sum() end)
function core.scope(f, ...) end

--- Bytes that tensors take, and the most so far; true: the most counts anew.
---@param reset? boolean
---@return integer used, integer most
---@example sota.memory()
function core.memory(reset) end

--- How many tensors are alive.
---@return integer
---@example sota.live_tensors()
function core.live_tensors() end

-- --- the run --------------------------------------------------------------------

--- Sets what holds for the run: device, seed, threads, precision, deterministic,
--- memory-limit, allow-untrusted-images, traceback.
---@param name string
---@param value any
---@example sota.set("seed", 1)
function core.set(name, value) end

--- What holds for the run; see set.
---@param name string
---@return any
---@example sota.get "threads"
function core.get(name) end

--- Can models be trained in bf16 here?
---@return boolean
---@example sota.can_bf16()
function core.can_bf16() end

--- Where the sequence of random numbers stands; random_state(that) puts it back.
---@param state? table
---@return table? state
---@example local state = sota.random_state(); sota.random_state(state)
function core.random_state(state) end

--- A progress line on stderr: line:update(done), line:clear(). Nothing when
--- stderr is no terminal.
---@param label string
---@param total integer 0: not known
---@param unit? string
---@return userdata
---@example sota.progress("counting", 100, "items"):update(50)
function core.progress(label, total, unit) end

--- Waits. False: Ctrl-C came.
---@param seconds number
---@return boolean
---@example sota.sleep(0.01)
function core.sleep(seconds) end

--- How many elements are in each of the equal parts of low to high; what is
--- outside counts nowhere, as in torch.histc.
---@param t Tensor
---@param options? {bins: integer, low: number, high: number} 40, 0, 10
---@return Tensor counts i32 (bins)
---@example sota.histogram(sota.randn(1000), {bins = 20, low = -3, high = 3})
function core.histogram(t, options) end

--- Seconds as in the table of epochs: 00:07, 1:02:03.
---@param seconds number
---@return string
---@example sota.format_time(75)
function core.format_time(seconds) end

--- The descriptions of all operations, as help() has them.
---@return table[]
---@example #sota.ops()
function core.ops() end

--- What this build and machine have; --doctor prints it.
---@return table
---@example sota.found().lua
function core.found() end

-- --- for the library ------------------------------------------------------------

--- The training loop. Learner:fit and its like call it; the fields of spec are
--- in engine/lua/slua_loop.c.
---@param spec table
---@return Recorder
---@example learn:fit(1) -- which calls sota.fit
function core.fit(spec) end

--- One pass over a loader. Learner:validate calls it.
---@param spec table
---@return table
---@example learn:validate() -- which calls sota.validate
function core.validate(spec) end

--- Inside a fit: what a checkpoint keeps of it.
---@return table
---@example pcall(sota.fit_state) -- fails outside of a fit
function core.fit_state() end

--- From a tensor that a checkpoint kept back to a recorder.
---@param packed Tensor
---@param names string[] of the metrics
---@return Recorder
---@example pcall(sota.unpack_recorder, t, {}) -- Checkpoint has such tensors
function core.unpack_recorder(packed, names) end

--- averages[i] = keep * averages[i] + (1 - keep) * tensors[i], in place, all in
--- one pass.
---@param averages Tensor[]
---@param tensors Tensor[]
---@param keep number
---@example sota.average({sota.zeros(2)}, {sota.ones(2)}, 0.9)
function core.average(averages, tensors, keep) end

--- f(x), of which backward keeps only x; nn.checkpoint is for users.
---@param f function
---@param x Tensor
---@return Tensor
---@example sota.replay(function(input) return input:relu() end, t)
function core.replay(f, x) end

--- Which layer runs, for messages and profiles; gives the one before.
---@param name? string
---@return string?
---@example sota.layer(nil)
function core.layer(name) end

--- Sources that begin with the text are the library's: tracebacks leave them out.
---@param prefix string
---@example sota.library("@" .. "no/such/folder/") sota.library(debug.getinfo(sota.rand, "S").source:match "^(.*)tensors")
function core.library(prefix) end

--- Fills a tensor with a fixed pattern: tests compare with it.
---@param t Tensor
---@param k integer which pattern
---@param scale? number
---@return Tensor
---@example sota.hash_fill(sota.zeros(4), 1)
function core.hash_fill(t, k, scale) end

--- The name in a list that is nearest to a misspelt one, or nil.
---@param key string
---@param names string[]
---@return string?
---@example sota.nearest("Resise", {"Resize", "Rotate"})
function core.nearest(key, names) end

--- The names in a folder, sorted, without those that begin with a dot; nil if it
--- cannot be read.
---@param path string
---@return string[]?
---@example sota.list_dir "."
function core.list_dir(path) end

--- Makes a folder and those above it.
---@param path string
---@example sota.make_dirs "out/pictures"
function core.make_dirs(path) end

--- Locks a file until :close(); nil if another process has it.
---@param path string
---@return userdata?
---@example sota.lock "out.lock":close()
function core.lock(path) end

--- Writes a file whole or not at all: beside its place, synced, then renamed. nil
--- and a sentence if that fails; then what was there before still is.
---@param path string
---@param text string
---@return boolean?, string?
---@example sota.write_file("out.txt", "all of it")
function core.write_file(path, text) end

--- A file that only grows: file:add(text), file:write(), file:close(). What
--- cannot be written (nil and a sentence) goes with the next write.
---@param path string
---@param keep? boolean what is in the file stays
---@return userdata?, string?
---@example local file = sota.grow_file "rows.txt"; file:add "1\n"; file:write(); file:close()
function core.grow_file(path, keep) end

--- Text from JSON; json.null stands for null.
---@param text string
---@return any
---@example sota.json.decode '{"a": [1, 2]}'
function core.json.decode(text) end

--- JSON from tables, texts, numbers and booleans; nil for what it cannot say.
---@param value any
---@return string?
---@example sota.json.encode{a = {1, 2}}
function core.json.encode(value) end

--- Writes named tensors into a file. options: oihw (weights of convolutions as
--- PyTorch has them), int64, checksum.
---@param path string
---@param names string[]
---@param tensors table<string, Tensor>
---@param metadata? table<string, string>
---@param options? {oihw: boolean, int64: boolean, checksum: boolean}
---@example sota.safetensors.save("t.safetensors", {"t"}, {t = t})
function core.safetensors.save(path, names, tensors, metadata, options) end

--- Reads such a file: tensors by name, metadata, names in the file's order.
---@param path string
---@param options? {oihw: boolean}
---@return table<string, Tensor> tensors, table metadata, string[] names
---@example sota.safetensors.save("u.safetensors", {"t"}, {t = t}); sota.safetensors.load "u.safetensors"
function core.safetensors.load(path, options) end

--- What is in such a file: a list of {name, dtype, shape}, and metadata.
---@param path string
---@return table[] list, table metadata
---@example sota.safetensors.save("v.safetensors", {"t"}, {t = t}); sota.safetensors.info "v.safetensors"
function core.safetensors.info(path) end

--- A schedule of several curves: their shares of the training, and for each
--- {curve, from, to [, power]}; curves are cos, lin, exp, poly, no.
---@param shares number[]
---@param curves table[]
---@return Schedule
---@example sota.schedule.combine({0.3, 0.7}, {{"cos", 0, 1}, {"cos", 1, 0}})
function core.schedule.combine(shares, curves) end

--- Along a cosine from start to middle for a share of the training, then to end.
---@param pct number
---@param start number
---@param middle number
---@param stop number
---@return Schedule
---@example sota.schedule.combined_cos(0.25, 0, 1, 0)
function core.schedule.combined_cos(pct, start, middle, stop) end

--- Cosine cycles that begin anew, each mult times as long as the last.
---@param n_cycles integer
---@param cycle_len number of the first
---@param mult number
---@param lr number
---@return Schedule
---@example sota.schedule.sgdr(2, 1, 2, 1e-3)
function core.schedule.sgdr(n_cycles, cycle_len, mult, lr) end

--- n numbers from first to last, each the same multiple of the one before.
---@param first number
---@param last number
---@param n integer
---@return number[]
---@example sota.schedule.even_mults(1e-4, 1e-2, 3)
function core.schedule.even_mults(first, last, n) end

-- --- tensors --------------------------------------------------------------------

--- The sizes; with d that of dimension d, from 1, or from the end: -1.
---@param d? integer
---@return integer[]|integer
---@example x:shape()
function Tensor:shape(d) end

--- f32, bf16, i32 or u8.
---@return string
---@example x:dtype()
function Tensor:dtype() end

--- Where it lies: "cpu".
---@return string
---@example x:device()
function Tensor:device() end

--- How many numbers there are.
---@return integer
---@example x:numel()
function Tensor:numel() end

--- How many dimensions there are.
---@return integer
---@example x:dim()
function Tensor:dim() end

--- Does its normalisation still wait for the next convolution?
---@return boolean
---@example x:is_lazy()
function Tensor:is_lazy() end

--- False after close().
---@return boolean
---@example x:is_open()
function Tensor:is_open() end

--- The number of a tensor that has only one.
---@return number
---@example t:sum():item()
function Tensor:item() end

--- The numbers as nested lists.
---@return table
---@example t:totable()
function Tensor:totable() end

--- Every element becomes the number, in place.
---@param value number
---@return Tensor
---@example t:clone():fill_(3)
function Tensor:fill_(value) end

--- The elements of another tensor, in place.
---@param from Tensor
---@return Tensor
---@example t:clone():copy_(t * 2)
function Tensor:copy_(from) end

--- A copy with memory of its own.
---@return Tensor
---@example t:clone()
function Tensor:clone() end

--- The same elements without a history: no gradient goes through it.
---@return Tensor
---@example t:detach()
function Tensor:detach() end

--- In another dtype or on another device; itself if it is so already.
---@param what string
---@return Tensor
---@example t:to "i32"
function Tensor:to(what) end

--- Whether a gradient is computed for it; with an argument, from now on.
---@param on? boolean
---@return boolean|Tensor
---@example t:clone():requires_grad(true)
function Tensor:requires_grad(on) end

--- Computes the gradients of all that it was made from; of a tensor of one
--- number, else with a seed of its shape.
---@param seed? Tensor
---@example local w = sota.tensor{2}:requires_grad(true); w:square():sum():backward()
function Tensor:backward(seed) end

--- The gradient, or nil.
---@return Tensor?
---@example t:grad()
function Tensor:grad() end

--- Forgets the gradient.
---@return Tensor
---@example t:zero_grad()
function Tensor:zero_grad() end

--- Gives its memory back now; using it is an error from then on.
---@example t:clone():close()
function Tensor:close() end

--- Outlives the scopes that are open: see scope.
---@return Tensor
---@example t:clone():keep()
function Tensor:keep() end

-- --- transforms: what they do, and their options, the engine says ---------------

---@example Resize(64, {method = "squish"})
function Resize(size, options) end
---@example RandomResizedCrop(64, {min_scale = 0.35})
function RandomResizedCrop(size, options) end
---@example RandomCrop(32, {pad = 4})
function RandomCrop(size, options) end
---@example CropPad(48)
function CropPad(size, options) end
---@example FlipItem(0.5)
function FlipItem(p) end
---@example AlternatingFlip()
function AlternatingFlip(p) end
---@example aug_transforms{size = 32, min_scale = 0.75}
function aug_transforms(options) end
---@example Flip{p = 0.5}
function Flip(options) end
---@example Dihedral{p = 0.5}
function Dihedral(options) end
---@example Warp{magnitude = 0.2}
function Warp(options) end
---@example Rotate{max_deg = 10}
function Rotate(options) end
---@example Zoom{max_zoom = 1.1}
function Zoom(options) end
---@example Brightness{max_lighting = 0.2}
function Brightness(options) end
---@example Contrast{max_lighting = 0.2}
function Contrast(options) end
---@example Saturation{max_lighting = 0.2}
function Saturation(options) end
---@example Hue{max_hue = 0.1}
function Hue(options) end
---@example RandomResizedCropGPU(32, {min_scale = 0.35})
function RandomResizedCropGPU(size, options) end
---@example Normalize.from_stats(imagenet_stats)
function Normalize(mean, std) end
---@example RandomErasing{p = 0.5}
function RandomErasing(options) end
