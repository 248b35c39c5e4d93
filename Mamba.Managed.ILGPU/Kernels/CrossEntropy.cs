using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Softmax cross-entropy of each column of logits: loss = log(sum of e^l) - l[target]; dl = softmax(l) - onehot(target).</summary>
/// <remarks>The largest logit is subtracted first, so nothing overflows. Sums run in a fixed order.</remarks>
internal static partial class CrossEntropy
{
    /// <summary>Numbers for each column that <see cref="Statistics"/> writes: the largest logit, the sum of e^(l - largest), the target's logit.</summary>
    public const int StatisticsRows = 3;

    /// <summary>Finds what the losses and their gradients are made of.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="logits">[vocabulary, tokens]; only true rows and columns are read.</param>
    /// <param name="vocabulary">The true rows.</param>
    /// <param name="targets">The target of each column; negative for none.</param>
    /// <param name="statistics">[<see cref="StatisticsRows"/>, columns]: row r of column t at r * columns + t. A column without a target gets 0, 1, 0: no loss.</param>
    /// <param name="workspace">Scratch memory of <see cref="Workspace"/> numbers.</param>
    public static void Statistics(
        GpuSession session, DeviceMatrix logits, int vocabulary, ArrayView<int> targets, ArrayView<float> statistics, ArrayView<float> workspace)
    {
        Arguments arguments = Of(logits, vocabulary, targets, statistics, workspace);
        if (session.IsFast)
        {
            Fast(session, arguments);
        }
        else
        {
            Plain(session, arguments);
        }
    }

    /// <summary>Numbers of scratch memory for a block of columns.</summary>
    public static long Workspace(int vocabulary, int columns) => 2L * Chunks(vocabulary) * columns;

    /// <summary>Overwrites logits by the gradient of their loss, with zeros in padding rows and in columns without a target.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="logits">[vocabulary, tokens]; the true columns and padding rows are written.</param>
    /// <param name="vocabulary">The true rows.</param>
    /// <param name="targets">The target of each column; negative for none.</param>
    /// <param name="statistics">What <see cref="Statistics"/> wrote.</param>
    /// <param name="scale">Factor of the gradient.</param>
    public static void Gradient(
        GpuSession session, DeviceMatrix logits, int vocabulary, ArrayView<int> targets, ArrayView<float> statistics, float scale)
    {
        Arguments arguments = Of(logits, vocabulary, targets, statistics, ArrayView<float>.Empty) with { Scale = scale };
        session.Plain<Arguments>(GradientEntry)(checked(logits.Rows * arguments.Columns), arguments);
    }

    /// <summary>One column a work item.</summary>
    internal static void Plain(GpuSession session, in Arguments arguments) => session.Plain<Arguments>(PlainColumn)(arguments.Columns, arguments);

    /// <summary>The checked arguments of the kernels.</summary>
    internal static Arguments Of(
        DeviceMatrix logits, int vocabulary, ArrayView<int> targets, ArrayView<float> statistics, ArrayView<float> workspace)
    {
        int columns = (int)targets.Length;
        if (columns > logits.Pitch || vocabulary > logits.Rows || statistics.Length < (long)StatisticsRows * columns)
        {
            throw new ArgumentException(
                $"cross-entropy: expected logits of at least {vocabulary} x {columns} and {StatisticsRows * columns} statistics, found {logits.Rows} x {logits.Pitch} and {statistics.Length}");
        }

        return new()
        {
            Logits = logits.Floats,
            Pitch = logits.Pitch,
            Vocabulary = vocabulary,
            Columns = columns,
            Targets = targets,
            Statistics = statistics,
            Workspace = workspace,
        };
    }

    private static void PlainColumn(Index1D column, Arguments p)
    {
        int target = p.Targets[column];
        float greatest = 0, sum = 1, right = 0;
        if (target >= 0)
        {
            greatest = p.Logits[column];
            for (int row = 1; row < p.Vocabulary; row++)
            {
                // A comparison that a NaN fails, as it fails every other: it comes out in the sum.
                float value = p.Logits[((long)row * p.Pitch) + column];
                greatest = value > greatest ? value : greatest;
            }

            sum = 0;
            for (int row = 0; row < p.Vocabulary; row++)
            {
                sum += Exponential(p.Logits[((long)row * p.Pitch) + column] - greatest);
            }

            right = p.Logits[((long)target * p.Pitch) + column];
        }

        p.Statistics[column] = greatest;
        p.Statistics[p.Columns + column] = sum;
        p.Statistics[(2 * p.Columns) + column] = right;
    }

    private static void GradientEntry(Index1D item, Arguments p)
    {
        int row = item / p.Columns, column = item - (row * p.Columns);
        int target = p.Targets[column];
        long at = ((long)row * p.Pitch) + column;
        float gradient = 0;
        if (target >= 0 && row < p.Vocabulary)
        {
            gradient = Exponential(p.Logits[at] - p.Statistics[column]) * (p.Scale / p.Statistics[p.Columns + column]);
            gradient = row == target ? gradient - p.Scale : gradient;
        }

        p.Logits[at] = gradient;
    }

    private static float Exponential(float value) => XMath.Exp2(value * Elementary.Log2E);

    internal record struct Arguments
    {
        public ArrayView<float> Logits;
        public ArrayView<int> Targets;
        public ArrayView<float> Statistics;
        public ArrayView<float> Workspace;
        public int Pitch;
        public int Vocabulary;
        public int Columns;
        public float Scale;
    }
}
