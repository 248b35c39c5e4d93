namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The checked sizes of a product of matrices.</summary>
/// <param name="Rows">M: rows of the result.</param>
/// <param name="Columns">N: columns of the result.</param>
/// <param name="Depth">K: terms of each sum.</param>
internal readonly record struct ProductShape(int Rows, int Columns, int Depth)
{
    /// <summary>The sizes of C = A B, if they fit one another.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    public static ProductShape Of(in Operand a, in Operand b, in DeviceMatrix c, int columns, in ProductOptions options)
    {
        int depth = options.Depth != 0 ? options.Depth : DepthOf(a, b);
        Check(depth > 0 && depth % Padding.Rows == 0, $"depth a positive multiple of {Padding.Rows}", depth);
        Check(c.Rows % Padding.Rows == 0, $"rows of the result a multiple of {Padding.Rows}", c.Rows);
        Check(columns >= 0 && columns <= c.Pitch, $"columns from 0 to the result's pitch {c.Pitch}", columns);
        Check(a.Matrix.Type == b.Matrix.Type, $"both operands of {a.Matrix.Type}", b.Matrix.Type);
        CheckPitch(a.Matrix, "A");
        CheckPitch(b.Matrix, "B");
        CheckPitch(c, "C");
        CheckOperand("A", a.Matrix, a.Transposed ? depth : c.Rows, a.Transposed ? c.Rows : depth);
        CheckOperand("B", b.Matrix, b.Transposed ? columns : depth, b.Transposed ? depth : columns);
        Check(options.Bias.Length == 0 || options.Bias.Length >= c.Rows, $"a bias of {c.Rows} numbers, one a row", options.Bias.Length);
        Check(!options.Accumulate || c.Type == NumberType.Float32, "a float32 result to accumulate into", c.Type);
        return new(c.Rows, columns, depth);
    }

    private static int DepthOf(in Operand a, in Operand b) =>
        !b.Transposed ? b.Matrix.Rows
        : a.Transposed ? a.Matrix.Rows
        : a.Matrix.Pitch == b.Matrix.Pitch ? a.Matrix.Pitch
        : throw new ArgumentException($"matrix product: expected a depth, since the operands' pitches differ; found pitches {a.Matrix.Pitch} and {b.Matrix.Pitch}; set ProductOptions.Depth");

    private static void CheckPitch(in DeviceMatrix matrix, string name) =>
        Check(matrix.Pitch % Padding.Rows == 0, $"the pitch of {name} a multiple of {Padding.Rows}", matrix.Pitch);

    private static void CheckOperand(string name, in DeviceMatrix matrix, int rows, int columns) =>
        Check(matrix.Rows >= rows && matrix.Pitch >= columns, $"{name} of at least {rows} rows in memory and a pitch of at least {columns}", $"{matrix.Rows} and {matrix.Pitch}");

    private static void Check(bool holds, string expected, object found)
    {
        if (!holds)
        {
            throw new ArgumentException($"matrix product: expected {expected}, found {found}");
        }
    }
}
