using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Products with weights of every type have the bits of the product with the same weights in single precision.</summary>
public class PackedMatrixTests
{
    private static readonly ElementType[] Types = [.. Enum.GetValues<ElementType>().Where(type => type != ElementType.Int64)];

    [Test]
    public void A_product_is_one_chain_of_the_converted_weights(
        [ValueSource(nameof(Types))] ElementType type, [Values(1, 2, 7, 40)] int rows, [Values(3, 16, 50)] int outputs, [Values(256, 768)] int inputs)
    {
        Tensor weight = Weights(type, outputs, inputs);
        float[] x = Random(rows * inputs, 2), y = new float[rows * outputs], bias = Random(outputs, 4);
        using ProductScratch scratch = MatrixProduct.CreateScratch(1);
        MatrixProduct.Forward(Worker.Alone, scratch, x, inputs, new PackedMatrix(weight), bias, y, rows);
        AssertChains(x, weight.ToFloat32().Floats.ToArray(), bias, y, rows, outputs, inputs);
    }

    [Test]
    public void Half_types_take_any_number_of_inputs(
        [Values(ElementType.Float16, ElementType.BFloat16)] ElementType type, [Values(1, 5, 8, 13, 300)] int inputs, [Values(1, 4)] int rows)
    {
        const int Outputs = 21;
        Tensor weight = Weights(type, Outputs, inputs);
        float[] x = Random(rows * inputs, 5), y = new float[rows * Outputs];
        using ProductScratch scratch = MatrixProduct.CreateScratch(1);
        MatrixProduct.Forward(Worker.Alone, scratch, x, inputs, new PackedMatrix(weight), [], y, rows);
        AssertChains(x, weight.ToFloat32().Floats.ToArray(), new float[Outputs], y, rows, Outputs, inputs);
    }

    [Test]
    public void A_row_comes_out_as_it_was_converted([ValueSource(nameof(Types))] ElementType type)
    {
        const int Outputs = 19, Inputs = 512;
        Tensor weight = Weights(type, Outputs, Inputs);
        PackedMatrix packed = new(weight, threads: 2);
        float[] expected = weight.ToFloat32().Floats.ToArray(), row = new float[Inputs];
        for (int i = 0; i < Outputs; i++)
        {
            packed.CopyRow(i, row);
            Assert.That(row, Is.EqualTo(expected.AsSpan(i * Inputs, Inputs).ToArray()), $"row {i}");
        }
    }

    [Test]
    public void Weights_take_the_bytes_of_their_type()
    {
        const int Outputs = 32, Inputs = 512;
        Assert.Multiple(() =>
        {
            foreach (ElementType type in Types)
            {
                // One byte instead of six or four bits for each scale and minimum of a group.
                double most = type switch { ElementType.Q2_K => 1.2, ElementType.Q3_K => 1.04, ElementType.Q4_K or ElementType.Q5_K => 1.03, _ => 1 };
                Assert.That(new PackedMatrix(Weights(type, Outputs, Inputs)).ByteLength, Is.AtMost(most * type.ByteLength(Outputs * Inputs)), $"{type}");
            }
        });
    }

    [Test]
    public void Every_finite_half_and_the_others_too_are_read_exactly()
    {
        ushort[] all = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        foreach (bool finite in new[] { true, false })
        {
            ushort[] bits = finite ? [.. all.Where(b => (b & 0x7C00) != 0x7C00)] : all;
            Tensor weight = Tensor.Zeros(ElementType.Float16, 1, bits.Length);
            bits.CopyTo(weight.Buffer.Span<ushort>(weight.Offset, bits.Length));
            float[] row = new float[bits.Length];
            new PackedMatrix(weight).CopyRow(0, row);
            Assert.That(row, Is.EqualTo(bits.Select(b => (float)BitConverter.UInt16BitsToHalf(b)).ToArray()));
        }
    }

    private static void AssertChains(float[] x, float[] w, float[] bias, float[] y, int rows, int outputs, int inputs)
    {
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < outputs; j++)
            {
                float sum = 0;
                for (int k = 0; k < inputs; k++)
                {
                    sum = MathF.FusedMultiplyAdd(x[(i * inputs) + k], w[(j * inputs) + k], sum);
                }

                if (y[(i * outputs) + j] != sum + bias[j])
                {
                    Assert.Fail($"row {i}, output {j}: expected {sum + bias[j]:R}, found {y[(i * outputs) + j]:R}");
                }
            }
        }
    }

    private static Tensor Weights(ElementType type, int outputs, int inputs) =>
        Tensor.FromFloats(Random(outputs * inputs, 3), outputs, inputs).ConvertTo(type, 1);

    private static float[] Random(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
