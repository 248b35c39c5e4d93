using System.Buffers.Binary;
using System.Collections.Concurrent;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;
using Mamba.Managed.Threading;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Products with weights of every type have the bits of their definition, and come near to those with the same weights in single precision.</summary>
public class PackedMatrixTests
{
    private static readonly ElementType[] Blocks = [.. Enum.GetValues<ElementType>().Where(type => type.IsQuantized())];
    private static readonly ConcurrentDictionary<ElementType, Tensor> quantized = [];
    private static readonly ElementType[] Types = [.. Enum.GetValues<ElementType>().Where(type => type != ElementType.Int64)];

    private static readonly ElementType[] Floats = [ElementType.Float32, ElementType.Float16, ElementType.BFloat16];

    [Test]
    public void A_product_with_floats_is_one_chain_of_the_converted_weights(
        [ValueSource(nameof(Floats))] ElementType type, [Values(1, 2, 7, 40)] int rows, [Values(3, 16, 50, 150)] int outputs, [Values(256, 1280)] int inputs)
    {
        Tensor weight = Weights(type, outputs, inputs);
        float[] x = Random(rows * inputs, 2), bias = Random(outputs, 4);
        float[] y = Product(x, weight, bias, rows);
        AssertChains(x, weight.ToArray(), bias, y, rows, outputs, inputs);
    }

    [Test]
    public void A_product_with_blocks_is_one_chain_of_groups(
        [ValueSource(nameof(Blocks))] ElementType type, [Values(1, 2, 8)] int rows, [Values(3, 33)] int outputs)
    {
        int inputs = rows == 2 ? 768 : 256;
        Tensor weight = Weights(type, outputs, inputs);
        float[] x = Random(rows * inputs, 2), bias = Random(outputs, 4), w = weight.ToArray();
        float[] y = Product(x, weight, bias, rows), single = Product(x, weight.ToFloat32(), bias, rows);
        for (int row = 0; row < rows; row++)
        {
            float[] expected = BlockProductReference.Row(x.AsSpan(row * inputs, inputs), weight);
            for (int j = 0; j < outputs; j++)
            {
                Assert.That(y[(row * outputs) + j], Is.EqualTo(expected[j] + bias[j]), $"row {row}, output {j}");

                // Activations are off by 2.3e-3 of 1 in the root mean square, each by itself: five times what that makes of the sum.
                double norm = Math.Sqrt(w.Skip(j * inputs).Take(inputs).Sum(v => v * v));
                Assert.That(y[(row * outputs) + j], Is.EqualTo(single[(row * outputs) + j]).Within(1.15e-2 * norm), $"row {row}, output {j}");
            }
        }
    }

    // In step come four panels, two or one, and of the widest vectors twice as many.
    [Test]
    public void One_row_passes_over_any_number_of_panels(
        [Values(ElementType.Float32, ElementType.Float16, ElementType.BFloat16, ElementType.Q8_0, ElementType.Q4_K)] ElementType type, [Range(1, 15)] int panels)
    {
        const int Inputs = 256;
        int outputs = (panels * PackedMatrix.PanelWidth) + 3;
        Tensor weight = Weights(type, outputs, Inputs);
        float[] x = Random(Inputs, 9), bias = new float[outputs], y = Product(x, weight, bias, 1);
        if (type.IsQuantized())
        {
            Assert.That(y, Is.EqualTo(BlockProductReference.Row(x, weight)));
        }
        else
        {
            AssertChains(x, weight.ToArray(), bias, y, 1, outputs, Inputs);
        }
    }

    [Test]
    public void Many_inputs_and_extreme_activations_come_out_as_defined([ValueSource(nameof(Blocks))] ElementType type)
    {
        const int Outputs = 2, Inputs = 4096 + 256;
        float[] specials = [0, 1e-38f, -1e30f, float.NaN, float.NegativeInfinity];
        Tensor weight = Weights(type, Outputs, Inputs);
        float[] x = Random(specials.Length * Inputs, 6), y = new float[specials.Length * Outputs];
        for (int row = 0; row < specials.Length; row++)
        {
            Span<float> mine = x.AsSpan(row * Inputs, Inputs);
            mine.Slice(256, 32).Clear();
            mine[100] = mine[270] = specials[row];
            float[] expected = BlockProductReference.Row(mine, weight);
            Assert.That(Product(mine.ToArray(), weight, new float[Outputs], 1), Is.EqualTo(expected), $"{specials[row]}");
            Assert.That(expected.All(float.IsFinite), Is.EqualTo(float.IsFinite(specials[row])), $"{specials[row]}");
            expected.CopyTo(y, row * Outputs);
        }

        Assert.That(Product(x, weight, new float[Outputs], specials.Length), Is.EqualTo(y));
    }

    // Where the halves of a block lie; all its other bytes are codes and scales of groups.
    [TestCase(ElementType.Q8_0, 0)]
    [TestCase(ElementType.Q4_0, 0)]
    [TestCase(ElementType.Q4_1, 0, 2)]
    [TestCase(ElementType.Q5_0, 0)]
    [TestCase(ElementType.Q5_1, 0, 2)]
    [TestCase(ElementType.Q2_K, 80, 82)]
    [TestCase(ElementType.Q3_K, 108)]
    [TestCase(ElementType.Q4_K, 0, 2)]
    [TestCase(ElementType.Q5_K, 0, 2)]
    [TestCase(ElementType.Q6_K, 208)]
    public void The_largest_codes_and_activations_do_not_overflow(ElementType type, params int[] halves)
    {
        const int Outputs = 33, Inputs = 768, Rows = 7;
        float[] x = new float[Rows * Inputs];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = i / Inputs % 2 == 0 ? 1 : -1;
        }

        foreach (byte code in new byte[] { 0xFF, 0x80, 0x7F })
        {
            Tensor weight = Tensor.Zeros(type, Outputs, Inputs);
            Span<byte> bytes = weight.Buffer.Span<byte>(0, (int)type.ByteLength(Outputs * Inputs));
            bytes.Fill(code);
            for (int block = 0; block < bytes.Length; block += type.BlockSize())
            {
                foreach (int half in halves)
                {
                    BinaryPrimitives.WriteHalfLittleEndian(bytes[(block + half)..], (Half)1);
                }
            }

            float[] expected = [.. Enumerable.Range(0, Rows).SelectMany(row => BlockProductReference.Row(x.AsSpan(row * Inputs, Inputs), weight))];
            Assert.That(Product(x, weight, new float[Outputs], Rows), Is.EqualTo(expected), $"{code}");
            Assert.That(Product(x[..Inputs], weight, new float[Outputs], 1), Is.EqualTo(expected[..Outputs]), $"{code}, one row");
        }
    }

    [Test]
    public void Half_types_take_any_number_of_inputs(
        [Values(ElementType.Float16, ElementType.BFloat16)] ElementType type, [Values(1, 5, 8, 13, 300)] int inputs, [Values(1, 4)] int rows)
    {
        const int Outputs = 21;
        Tensor weight = Weights(type, Outputs, inputs);
        float[] x = Random(rows * inputs, 5), y = new float[rows * Outputs];
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, inputs);
        MatrixProduct.Forward(Worker.Alone, scratch, x, inputs, new PackedMatrix(weight), [], y, rows);
        AssertChains(x, weight.ToArray(), new float[Outputs], y, rows, Outputs, inputs);
    }

    [Test]
    public void Half_types_take_activations_of_any_size(
        [Values(ElementType.Float16, ElementType.BFloat16)] ElementType type,
        [Values(0f, 1e-42f, 32767f, 65536f, 1e38f, float.NegativeInfinity, float.NaN)] float special, [Values(1, 3)] int rows)
    {
        const int Outputs = 35, Inputs = 70;
        Tensor weight = Weights(type, Outputs, Inputs);
        float[] x = Random(rows * Inputs, 6), y = new float[rows * Outputs];
        x[3] = x[^1] = special;
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, Inputs);
        MatrixProduct.Forward(Worker.Alone, scratch, x, Inputs, new PackedMatrix(weight), [], y, rows);
        AssertChains(x, weight.ToArray(), new float[Outputs], y, rows, Outputs, Inputs);
    }

    // What has no partner is multiplied with nothing, which must not turn minus zero, the end of a product that is too small, into zero.
    [TestCase(ElementType.Float16)]
    [TestCase(ElementType.BFloat16)]
    public void An_input_without_a_partner_adds_its_product_alone(ElementType type)
    {
        const int Outputs = 16;
        Tensor weight = Tensor.FromFloats([.. Enumerable.Repeat(0.125f, Outputs)], Outputs, 1).ConvertTo(type, 1);
        float[] bias = [.. Enumerable.Repeat(-0f, Outputs)], y = Product([-float.Epsilon], weight, bias, 1);
        Assert.That(y.Select(BitConverter.SingleToUInt32Bits), Is.All.EqualTo(0x80000000));
    }

    // Rows that end in a short tile, in two even ones and in whole ones; inputs of one block and of two; more workers than pairs of panels and fewer.
    [Test]
    public void Workers_together_give_the_bits_of_one_alone(
        [Values(ElementType.Float32, ElementType.Float16, ElementType.Q8_0, ElementType.Q4_K)] ElementType type,
        [Values(1, 2, 7, 20, 27, 300)] int rows, [Values(21, 600)] int outputs, [Values(256, 1792)] int inputs)
    {
        PackedMatrix weight = new(Weights(type, outputs, inputs));
        float[] x = Random(rows * inputs, 7), bias = Random(outputs, 8), expected = new float[rows * outputs], y = new float[rows * outputs];
        using GemmScratch single = MatrixProduct.CreateScratch(1, rows, inputs), scratch = MatrixProduct.CreateScratch(3, rows, inputs);
        MatrixProduct.Forward(Worker.Alone, single, x, inputs, weight, bias, expected, rows);
        using WorkerPool pool = new(3);
        pool.Run(new LambdaRegion(worker => MatrixProduct.Forward(worker, scratch, x, inputs, weight, bias, y, rows)));
        Assert.That(y, Is.EqualTo(expected));
    }

    [Test]
    public void What_lies_between_rows_stays(
        [Values(ElementType.Float32, ElementType.Float16, ElementType.Q8_0, ElementType.Q4_K)] ElementType type, [Values(1, 2, 7, 40)] int rows)
    {
        const int Outputs = 149, Inputs = 256, Pitch = Outputs + 11;
        const float Between = 5;
        Tensor weight = Weights(type, Outputs, Inputs);
        float[] x = Random(rows * Inputs, 7), bias = Random(Outputs, 8), together = Product(x, weight, bias, rows);
        float[] apart = [.. Enumerable.Repeat(Between, ((rows - 1) * Pitch) + Outputs)], expected = [.. apart];
        for (int row = 0; row < rows; row++)
        {
            together.AsSpan(row * Outputs, Outputs).CopyTo(expected.AsSpan(row * Pitch));
        }

        using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, Inputs);
        MatrixProduct.Forward(Worker.Alone, scratch, x, Inputs, new PackedMatrix(weight), bias, apart, rows, Pitch);
        Assert.That(apart, Is.EqualTo(expected));
    }

    [Test]
    public void Rows_must_not_overlap()
    {
        const int Outputs = 19, Inputs = 32, Pitch = Outputs - 1;
        PackedMatrix weight = new(Weights(ElementType.Float32, Outputs, Inputs));
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, 2, Inputs);
        Assert.That(
            () => MatrixProduct.Forward(Worker.Alone, scratch, new float[2 * Inputs], Inputs, weight, [], new float[Pitch + Outputs], 2, Pitch),
            Throws.ArgumentException.With.Message.StartsWith("expected at least 19, the outputs of a row, found 18"));
    }

    [Test]
    public void A_row_comes_out_as_it_was_converted([ValueSource(nameof(Types))] ElementType type)
    {
        const int Outputs = 19, Inputs = 512;
        Tensor weight = Weights(type, Outputs, Inputs);
        PackedMatrix packed = new(weight, threads: 2);
        float[] expected = weight.ToArray(), row = new float[Inputs];
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

    // Below 64 a half stays one; with larger ones, infinity or NaN the matrix is held in single precision.
    [TestCase(0x53FF, true)]
    [TestCase(0x7BFF, false)]
    [TestCase(0x7FFF, false)]
    public void Every_half_is_read_exactly(int largest, bool staysHalf)
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Where(i => (i & 0x7FFF) <= largest).Select(i => (ushort)i)];
        Tensor weight = Tensor.Zeros(ElementType.Float16, 16, bits.Length);
        bits.CopyTo(weight.Buffer.Span<ushort>(weight.Offset, bits.Length));
        float[] row = new float[bits.Length];
        PackedMatrix packed = new(weight);
        packed.CopyRow(0, row);
        Assert.That(row, Is.EqualTo(bits.Select(b => (float)BitConverter.UInt16BitsToHalf(b)).ToArray()));
        Assert.That(packed.ByteLength, Is.EqualTo(16L * bits.Length * (staysHalf ? sizeof(ushort) : sizeof(float))));
    }

    private static float[] Product(float[] x, Tensor weight, float[] bias, int rows)
    {
        float[] y = new float[rows * bias.Length];
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, x.Length / rows);
        MatrixProduct.Forward(Worker.Alone, scratch, x, x.Length / rows, new PackedMatrix(weight), bias, y, rows);
        return y;
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

                if (!y[(i * outputs) + j].Equals(sum + bias[j]))
                {
                    Assert.Fail($"row {i}, output {j}: expected {sum + bias[j]:R}, found {y[(i * outputs) + j]:R}");
                }
            }
        }
    }

    // Quantizing is slow where there are no vectors: a few rows are made once, longer ones repeat their blocks.
    private static Tensor Weights(ElementType type, int outputs, int inputs)
    {
        if (!type.IsQuantized())
        {
            return Tensor.FromFloats(Random(outputs * inputs, 3), outputs, inputs).ConvertTo(type, 1);
        }

        const int Rows = 33, Length = 256;
        Tensor few = quantized.GetOrAdd(type, type => Tensor.FromFloats(Random(Rows * Length, 3), Rows, Length).ConvertTo(type, 1));
        Tensor weight = Tensor.Zeros(type, outputs, inputs);
        int bytes = (int)type.ByteLength(Length);
        for (int i = 0; i < outputs * inputs / Length; i++)
        {
            few.Bytes.Slice(i * 7 % Rows * bytes, bytes).CopyTo(weight.Buffer.Span<byte>(weight.Offset + (i * bytes), bytes));
        }

        return weight;
    }

    private static float[] Random(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
