using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public sealed class MatrixProductTests(TestDevice device) : ProductChecks(device)
{
    [Test]
    public void Every_order_of_operands_and_every_type_is_within_its_bound_of_the_exact_product()
    {
        foreach (ProductCase one in Orders(Session.IsFast ? new(208, 133, 112) : new(32, 21, 48)))
        {
            Check(one);
        }
    }

    [Test]
    public void Every_number_of_columns_is_computed_and_nothing_beyond()
    {
        foreach (int columns in Session.IsFast ? Enumerable.Range(1, 260) : [1, 7, 16, 33])
        {
            Check(new(48, columns, 64) { HasBias = true });
            Check(new(48, columns, 64) { Operands = NumberType.BFloat16, Result = NumberType.BFloat16, BTransposed = columns % 2 == 0 });
        }
    }

    [Test]
    public void Every_number_of_rows_and_every_depth_is_computed()
    {
        foreach (int size in Session.IsFast ? Enumerable.Range(1, 16).Select(i => 16 * i) : [16, 80])
        {
            Check(new(size, 24, 272 - size) { ATransposed = size % 32 == 0, Accumulates = true });
            Check(new(size, 24, 272 - size) { ATransposed = size % 32 == 0, Operands = NumberType.BFloat16, Accumulates = true });
        }
    }

    [Test]
    public void The_same_product_gives_the_same_bits_and_a_column_does_not_depend_on_others()
    {
        ProductCase one = new(64, 48, 256) { HasBias = true };
        float[] first = Run(one, null);
        Assert.That(Run(one, null), Is.EqualTo(first));

        float[] b = one.B;
        for (int i = 0; i < b.Length; i++)
        {
            b[i] = i % one.PitchB == 5 ? b[i] : 2 * b[i];
        }

        float[] second = Run(one, null, b);
        for (int row = 0; row < one.Rows; row++)
        {
            Assert.That(second[row * one.PitchC + 5], Is.EqualTo(first[row * one.PitchC + 5]));
        }
    }

    [Test]
    public void Sizes_that_do_not_fit_are_refused()
    {
        using DeviceData data = new(Session);
        DeviceMatrix a = data.Matrix(new float[16 * 32], 16, 32, NumberType.Float32);
        DeviceMatrix b = data.Matrix(new float[48 * 16], 48, 16, NumberType.Float32);
        DeviceMatrix c = data.Matrix(new float[16 * 16], 16, 16, NumberType.Float32);
        Assert.That(() => MatrixProduct.Multiply(Session, new(a), new(b), c, 16), Throws.ArgumentException.With.Message.Contains("A of at least 16 rows"));
        Assert.That(() => MatrixProduct.Multiply(Session, new(a), new(b), c, 17, new() { Depth = 32 }), Throws.ArgumentException.With.Message.Contains("columns"));
        Assert.That(() => MatrixProduct.Multiply(Session, new(a), new(b), c, 16, new() { Depth = 20 }), Throws.ArgumentException.With.Message.Contains("depth"));
        Assert.That(() => MatrixProduct.Multiply(Session, new(a), new(c, true), c, 16), Throws.ArgumentException.With.Message.Contains("pitches"));
    }
}
