using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>Kernels of training, in both forms, against double precision: losses, norms, sums over tokens and sums of squares.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class TrainingKernelTests(TestDevice device)
{
    private const double Tolerance = 2e-6;

    private GpuSession Session => device.Session;

    [Test]
    public void Cross_entropy_is_that_of_float64([Values] bool isFast, [Values(1, 7, 1024, 2500)] int vocabulary, [Values(1, 40)] int columns)
    {
        const int Pitch = 128;
        const float Scale = 0.25f;
        using DeviceData data = new(Session);
        int rows = Padding.Up(vocabulary, Padding.Rows);
        float[] logits = DeviceData.Numbers(DeviceData.Random(vocabulary), (long)rows * Pitch, -20, 20);
        int[] targets = [.. Enumerable.Range(0, columns).Select(t => t % 5 == 3 ? -1 : t * 31 % vocabulary)];
        DeviceMatrix matrix = data.Matrix(logits, rows, Pitch, NumberType.Float32);
        using MemoryBuffer1D<int, Stride1D.Dense> ids = Session.Accelerator.Allocate1D(targets);
        ArrayView<float> statistics = data.Vector(new float[CrossEntropy.StatisticsRows * columns]), workspace = data.Vector(new float[CrossEntropy.Workspace(vocabulary, columns)]);
        CrossEntropy.Arguments arguments = CrossEntropy.Of(matrix, vocabulary, ids.View, statistics, workspace);
        if (isFast)
        {
            CrossEntropy.Fast(Session, arguments);
        }
        else
        {
            CrossEntropy.Plain(Session, arguments);
        }

        CrossEntropy.Gradient(Session, matrix, vocabulary, ids.View, statistics, Scale);
        float[] found = data.Read(statistics), gradients = data.Read(matrix);
        Closeness losses = new(Tolerance), slopes = new(Tolerance);
        for (int t = 0; t < columns; t++)
        {
            double[] column = [.. Enumerable.Range(0, vocabulary).Select(row => (double)logits[(row * Pitch) + t])];
            double sum = column.Sum(Math.Exp);
            losses.Add(targets[t] < 0 ? 0 : Math.Log(sum) - column[targets[t]], Math.Log(found[columns + t]) + ((double)found[t] - found[(2 * columns) + t]));
            for (int row = 0; row < rows; row++)
            {
                double truth = targets[t] < 0 || row >= vocabulary ? 0 : Scale * ((Math.Exp(column[row]) / sum) - (row == targets[t] ? 1 : 0));
                slopes.Add(truth, gradients[(row * Pitch) + t]);
            }
        }

        Assert.Multiple(() =>
        {
            losses.Check("losses");
            slopes.Check("gradients");
        });
    }

    [Test]
    public void The_gradients_of_a_norm_are_those_of_float64([Values] bool isFast, [Values(1, 30, 100)] int features, [Values] bool isWeighted, [Values] bool add)
    {
        const int Pitch = 128;
        const float Epsilon = 1e-3f;
        using DeviceData data = new(Session);
        Random random = DeviceData.Random(features);
        int rows = Padding.Up(features, Padding.Rows);
        float[] x = Matrix(), dy = Matrix(), before = Matrix(), weight = DeviceData.Numbers(random, rows, -1, 1), sums = DeviceData.Numbers(random, rows, -1, 1);
        DeviceMatrix input = New(x), gradient = New(dy), result = New(before);
        ArrayView<float> inverses = data.Vector(new float[Pitch]), weightGradient = data.Vector([.. sums]);
        RmsNormalizationBackward.Arguments arguments = RmsNormalizationBackward.Of(
            input, features, isWeighted ? data.Vector(weight) : ArrayView<float>.Empty, Epsilon, gradient, result, add, inverses);
        RowSums.Arguments weighted = RowSums.Of(gradient, input.Floats, inverses, weightGradient);
        if (isFast)
        {
            RmsNormalizationBackward.Fast(Session, arguments);
            RowSums.Fast(Session, weighted, rows);
        }
        else
        {
            RmsNormalizationBackward.Plain(Session, arguments);
            RowSums.Plain(Session, weighted, rows);
        }

        float[] found = data.Read(result), foundSums = data.Read(weightGradient);
        
        // The terms of a scale's gradient have both signs and nearly cancel.
        Closeness slopes = new(Tolerance), scales = new(10 * Tolerance);
        double[] expectedSums = [.. sums.Select(sum => (double)sum)];
        for (int t = 0; t < Pitch; t++)
        {
            double inverse = 1 / Math.Sqrt((Range().Sum(f => Square(x[At(f, t)])) / features) + Epsilon);
            double product = Range().Sum(f => Scaled(f, t) * x[At(f, t)]) / features;
            foreach (int f in Range())
            {
                double dx = (inverse * Scaled(f, t)) - (x[At(f, t)] * inverse * inverse * inverse * product);
                slopes.Add(add ? before[At(f, t)] + dx : dx, found[At(f, t)]);
                expectedSums[f] += (double)dy[At(f, t)] * x[At(f, t)] * inverse;
            }
        }

        foreach (int f in Range())
        {
            scales.Add(expectedSums[f], foundSums[f]);
        }

        Assert.Multiple(() =>
        {
            slopes.Check("of the input");
            scales.Check("of the scale");
        });

        float[] Matrix() => DeviceData.Numbers(random, (long)rows * Pitch, -1, 1);

        DeviceMatrix New(float[] numbers) => data.Matrix(numbers, rows, Pitch, NumberType.Float32);

        IEnumerable<int> Range() => Enumerable.Range(0, features);

        int At(int f, int t) => (f * Pitch) + t;

        double Scaled(int f, int t) => (isWeighted ? weight[f] : 1.0) * dy[At(f, t)];

        static double Square(double value) => value * value;
    }

    [Test]
    public void Sums_of_squares_are_those_of_float64([Values] bool isFast)
    {
        using DeviceData data = new(Session);
        long[] starts = [0, 1, 300, 16_684, 20_000];
        float[] values = DeviceData.Numbers(DeviceData.Random(1), 20_000, -1, 1);
        values[0] = 1e30f;
        using MemoryBuffer1D<long, Stride1D.Dense> blocks = Session.Accelerator.Allocate1D(starts);
        using MemoryBuffer1D<double, Stride1D.Dense> sums = Session.Accelerator.Allocate1D<double>(4);
        SumOfSquares.Arguments arguments = new() { Values = data.Vector(values), Starts = blocks.View, Sums = sums.View };
        if (isFast)
        {
            SumOfSquares.Fast(Session, arguments, 4);
        }
        else
        {
            SumOfSquares.Plain(Session, arguments, 4);
        }

        Session.Synchronize();
        double[] found = sums.GetAsArray1D();
        for (int block = 0; block < 4; block++)
        {
            double expected = values[(int)starts[block]..(int)starts[block + 1]].Sum(value => (double)value * value);
            Assert.That(found[block], Is.EqualTo(expected).Within(1e-12 * expected));
        }
    }
}
