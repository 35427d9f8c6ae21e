# habit: definitions under if, else and with
# %% 1.1
DEBUG = False
if torch.__version__ >= "1":
    def _amax(x):
        return x.abs().amax()
else:
    def _amax(x):
        return x.abs().max()

if not DEBUG:
    def symmetric_quantization(tensor, bits=8):
        x = checked(tensor, bits)
        scale = scale_for(_amax(x), bits)
        return to_signed(x, scale, bits), scale

# %% 1.3
with torch.inference_mode(False):
    def dequantize(q, scale, zero_point=0):
        return (q.to(torch.float32) - zero_point) * scale
