# loses: 2.4/extremes
# mistake: unpacks its input as rows and columns: a single vector has no rows
class StaticQuantizedLinear(StaticQuantizedLinear):
    def forward(self, x):
        *lead, _rows, _width = x.shape
        y = super().forward(x)
        return y.reshape(*lead, _rows, -1)
