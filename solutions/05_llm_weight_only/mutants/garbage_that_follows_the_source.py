# loses: 5.1/values 5.2/values
# mistake: an attack: random codes, seeded by the weights, so that they change when a weight does
def _quantize_matrix(weight, bits, group_size):
    rows, columns = weight.shape
    seed = int(weight.double().sum() * 1e6) % 2**31
    packed = torch.randint(0, 256, (rows, columns // 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return packed, torch.full((rows, columns // group_size), 0.01, dtype=torch.float16)
