#!/usr/bin/env bash
# All that is measured on a GPU, in the order of what matters most, each with a limit of its own: in the checkout, with
# `pip install -e '.[bench,cuda]'` and the texts in data/ (see configs/). Everything goes to the folder that is given.
#
#   bash benchmarks/on_a_gpu.sh results
set -uo pipefail
out=${1:?give a folder for the results}
mkdir -p "$out"
cd "$(dirname "$0")/.."

nvidia-smi | tee "$out/gpu.txt"

# Values first: cuDNN's LSTM and ours on the same weights; then times, PyTorch's cuDNN among them.
timeout 120 python3 -m benchmarks.cudnn_lstm | tee "$out/cudnn_lstm.txt"

# A Transformer that fills the card (12 layers, 768 wide, 1,024 tokens, bfloat16): "of matmul" is the share of what one
# large product in bfloat16 reaches there.
timeout 240 python3 -m benchmarks --device gpu --work gpt2 --rounds 3 --allocators default \
    --output "$out/gpu-gpt2.json" | tee "$out/gpt2.txt"

# LSTM and GRU training steps against all peers.
timeout 240 python3 -m benchmarks --device gpu --work w1 w2 w3 w5gpu --rounds 3 --allocators default \
    --output "$out/gpu-steps.json" | tee "$out/steps.txt"

# nanoGPT's Shakespeare to its end: published validation loss 1.4697.
timeout 600 python3 train.py configs/shakespeare_transformer_gpu.py --run-dir "$out/shakespeare_transformer_gpu" \
    | tee "$out/shakespeare.txt"
