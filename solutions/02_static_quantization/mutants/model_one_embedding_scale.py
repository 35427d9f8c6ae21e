# loses: 2.5/values
# mistake: one scale for a whole embedding
class QuantizedEmbedding(QuantizedEmbedding):
    @classmethod
    def from_float(cls, embedding):
        weight = embedding.weight.detach().float()
        scale = (weight.abs().amax() / 127).expand(len(weight)).clone()
        return cls(torch.round(weight / scale.unsqueeze(1)).to(torch.int8), scale)
