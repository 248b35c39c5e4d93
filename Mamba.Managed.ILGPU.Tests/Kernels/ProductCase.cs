using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>A product to test: sizes, orders, types, and what is done beside multiplying.</summary>
internal sealed record ProductCase(int Rows, int Columns, int Depth)
{
    public bool ATransposed { get; init; }

    public bool BTransposed { get; init; }

    public NumberType Operands { get; init; }

    public NumberType Result { get; init; }

    public ProductPrecision Precision { get; init; }

    public bool Accumulates { get; init; }

    public bool HasBias { get; init; }

    /// <summary>A, B and C as they lie in memory before: rows of a pitch, not-a-number where nothing is to be read.</summary>
    public float[] A => Stored(1, RowsOfA, PitchA, ATransposed ? Rows : Depth, Operands);

    public float[] B => Stored(2, RowsOfB, PitchB, BTransposed ? Depth : Columns, Operands);

    public float[] C => Stored(3, Rows, PitchC, Columns, Result);

    public float[] Bias => HasBias ? DeviceData.Numbers(DeviceData.Random(4), Rows, -1, 1) : [];

    public int RowsOfA => ATransposed ? Depth : Rows;

    public int RowsOfB => BTransposed ? Padding.Up(Columns, Padding.Rows) : Depth;

    // Pitches that exceed what lies in a row, in different ways.
    public int PitchA => Padding.Up(ATransposed ? Rows : Depth, Padding.Rows) + 16;

    public int PitchB => Padding.Up(BTransposed ? Depth : Columns, Padding.Rows) + 48;

    public int PitchC => Padding.Up(Columns, Padding.Rows) + 32;

    /// <summary>The most by which an entry may differ from the exact one.</summary>
    /// <param name="terms">The sum of the absolute values of its terms.</param>
    /// <param name="exact">Its exact value.</param>
    /// <remarks>
    /// Three products of bfloat16 parts leave out 2^-18 of a term for the parts that are too small for a pair, twice, and as much for low low; TF32 parts, cut
    /// off instead of rounded, 2^-20 three times; bfloat16 operands nothing. Every sum of sixteen terms may lose 2^-23. A bfloat16 result is rounded to 2^-9.
    /// </remarks>
    public double Tolerance(double terms, double exact)
    {
        double products = Operands == NumberType.BFloat16 ? 0 : Precision == ProductPrecision.High ? 3 * Math.Pow(2, -20) : 3 * Math.Pow(2, -18);
        double sums = (4 + Depth / 16.0) * Math.Pow(2, -23);
        double result = Result == NumberType.BFloat16 ? Math.Pow(2, -8) : 0;
        return (products + sums) * terms + result * Math.Abs(exact) + 1e-30;
    }

    /// <summary>Holds a result, as it lies in memory, to the exact one; columns beyond the multiple of 16 must be as they were.</summary>
    public void Check(float[] found)
    {
        float[] a = A, b = B, c = C, bias = Bias;
        double[] excess = new double[Rows];
        Parallel.For(0, Rows, row =>
        {
            for (int column = 0; column < Columns; column++)
            {
                (double exact, double terms) = Entry(a, b, row, column);
                double added = (Accumulates ? c[row * PitchC + column] : 0) + (HasBias ? bias[row] : 0.0);
                double error = Math.Abs(found[row * PitchC + column] - exact - added) / Tolerance(terms + Math.Abs(added), exact + added);
                excess[row] = double.IsNaN(error) ? double.PositiveInfinity : Math.Max(excess[row], error);
            }

            excess[row] = found.AsSpan(row * PitchC + PitchC - 32, 32).ContainsAnyExcept(float.NaN) ? double.PositiveInfinity : excess[row];
        });
        int worst = Array.IndexOf(excess, excess.Max());
        Assert.That(excess[worst], Is.LessThanOrEqualTo(1), $"{this}, row {worst}: error over bound; infinite where something else was written, or nothing");
    }

    public override string ToString() =>
        $"{Rows} x {Columns} x {Depth} {Operands}{(Operands == NumberType.Float32 ? $" {Precision}" : "")} to {Result}{(ATransposed ? " A'" : "")}{(BTransposed ? " B'" : "")}{(Accumulates ? " added" : "")}{(HasBias ? " bias" : "")}";

    private (double Sum, double Terms) Entry(float[] a, float[] b, int row, int column)
    {
        (double sum, double terms) = (0, 0);
        for (int k = 0; k < Depth; k++)
        {
            double term = (double)a[ATransposed ? k * PitchA + row : row * PitchA + k] * b[BTransposed ? column * PitchB + k : k * PitchB + column];
            sum += term;
            terms += Math.Abs(term);
        }

        return (sum, terms);
    }

    private static float[] Stored(int seed, int rows, int pitch, int columns, NumberType type)
    {
        float[] numbers = DeviceData.Numbers(DeviceData.Random(seed), (long)rows * pitch, -1, 1, type);
        for (int row = 0; row < rows; row++)
        {
            numbers.AsSpan(row * pitch + columns, pitch - columns).Fill(float.NaN);
        }

        return numbers;
    }
}
