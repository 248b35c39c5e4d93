using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The norm of columns against its definition in double precision.</summary>
public class RmsNormalizationTests
{
    private const int Pitch = 128;
    private const float Epsilon = 1e-5f;

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.All))]
    public void The_plain_form_is_the_definition(TestDevice device) => Check(device.Session, RmsNormalization.Plain, NumberType.Float32, NumberType.Float32);

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
    public void The_fast_form_is_the_definition(TestDevice device)
    {
        Check(device.Session, RmsNormalization.Fast, NumberType.Float32, NumberType.Float32);
        Check(device.Session, RmsNormalization.Fast, NumberType.Float32, NumberType.BFloat16);
        Check(device.Session, RmsNormalization.Fast, NumberType.BFloat16, NumberType.BFloat16);
    }

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.All))]
    public void A_column_of_zeros_stays_zero_without_epsilon(TestDevice device)
    {
        using DeviceData data = new(device.Session);
        DeviceMatrix x = data.Matrix(new float[16 * Pitch], 16, Pitch, NumberType.Float32);
        RmsNormalization.Forward(device.Session, x, 16, ArrayView<float>.Empty, 0, Pitch, x);
        Assert.That(data.Read(x), Is.All.Zero);
    }

    [TestCaseSource(typeof(TestDevices), nameof(TestDevices.All))]
    public void Shapes_that_contradict_one_another_are_refused(TestDevice device)
    {
        using DeviceData data = new(device.Session);
        DeviceMatrix x = data.Matrix(new float[16 * Pitch], 16, Pitch, NumberType.Float32), y = data.Matrix(new float[32 * Pitch], 32, Pitch, NumberType.Float32);
        Assert.Multiple(() =>
        {
            Assert.That(() => RmsNormalization.Forward(device.Session, x, 16, ArrayView<float>.Empty, 0, Pitch, y), Throws.ArgumentException);
            Assert.That(() => RmsNormalization.Forward(device.Session, x, 17, ArrayView<float>.Empty, 0, Pitch, x), Throws.ArgumentException);
            Assert.That(() => RmsNormalization.Forward(device.Session, x, 16, ArrayView<float>.Empty, 0, Pitch + 1, x), Throws.ArgumentException);
            Assert.That(() => RmsNormalization.Forward(device.Session, x, 16, data.Vector(new float[8]), 0, Pitch, x), Throws.ArgumentException);
        });
    }

    // With a weight and in a place of its own, and without and in place; features that fill their rows, and fewer.
    private static void Check(GpuSession session, Form form, NumberType from, NumberType to)
    {
        foreach ((int rows, int features, int columns) in ((int, int, int)[])[(16, 3, 1), (16, 16, 9), (144, 130, 20), (800, 797, 12)])
        {
            using DeviceData data = new(session);
            Random random = DeviceData.Random(rows);
            float[] numbers = DeviceData.Numbers(random, rows * Pitch, -2, 2, from), weight = DeviceData.Numbers(random, rows, -1, 1);
            Array.Clear(numbers, features * Pitch, (rows - features) * Pitch);
            Array.Clear(weight, features, rows - features);
            DeviceMatrix x = data.Matrix(numbers, rows, Pitch, from), y = data.Matrix(new float[rows * Pitch], rows, Pitch, to);
            form(session, x, features, data.Vector(weight), Epsilon, columns, y);
            Compare(data.Read(y), numbers, weight, features, columns, to);
            if (from == to)
            {
                form(session, x, features, ArrayView<float>.Empty, Epsilon, columns, x);
                Compare(data.Read(x), numbers, [.. weight.Select(_ => 1f)], features, columns, to);
            }
        }
    }

    private static void Compare(float[] found, float[] x, float[] weight, int features, int columns, NumberType type)
    {
        double tolerance = type == NumberType.Float32 ? 1e-6 : 5e-3;
        for (int column = 0; column < columns; column++)
        {
            double square = Enumerable.Range(0, features).Average(row => (double)x[(row * Pitch) + column] * x[(row * Pitch) + column]);
            for (int row = 0; row < weight.Length; row++)
            {
                int at = (row * Pitch) + column;
                Assert.That(found[at], Is.EqualTo(x[at] / Math.Sqrt(square + Epsilon) * weight[row]).Within(tolerance * 4), $"row {row} of {features}, column {column}");
            }
        }
    }

    private delegate void Form(GpuSession session, DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, int columns, DeviceMatrix y);
}
