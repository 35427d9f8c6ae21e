# habit: experiments under if __name__ == "__main__"
# drops: load_my_model
# %% 1.1
def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    scale = scale_for(x.abs().amax(), bits)
    return to_signed(x, scale, bits), scale


def main():
    for bits in range(2, 9):
        print(symmetric_quantization(torch.randn(1000), bits))


if __name__ == "__main__":
    model = load_my_model("weights.pt")
    main()
    raise SystemExit(0)
