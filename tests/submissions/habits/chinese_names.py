# habit: 中文變數名稱與註解
# %% 1.1
最大值 = {位元: 2 ** (位元 - 1) - 1 for 位元 in range(2, 9)}  # 每種位元數的最大整數


def 縮放係數(張量, 位元):
    """回傳縮放係數；全為零時回傳 1。"""
    係數 = 張量.abs().amax() / 最大值[位元]
    return torch.where(係數 == 0, 1.0, 係數)


print("縮放係數", 縮放係數(torch.ones(2), 8)); 常數 = 1.0


def symmetric_quantization(tensor, bits=8):
    x = checked(tensor, bits)
    s = 縮放係數(x, bits) * 常數
    return to_signed(x, s, bits), s
