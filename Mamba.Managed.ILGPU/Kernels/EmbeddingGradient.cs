using ILGPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The gradient of an embedding: each token's row of the table gets the gradients of all columns that it stood in.</summary>
internal static class EmbeddingGradient
{
    /// <summary>Adds the columns of each token in ascending order; one work item a token and feature.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="gradient">[features, tokens]: that of the first residual.</param>
    /// <param name="columns">The columns of all tokens, those of one token together and in ascending order.</param>
    /// <param name="tokens">The tokens that occur, each once.</param>
    /// <param name="starts">Where the columns of each of those begin, and behind the last where they end.</param>
    /// <param name="table">[vocabulary, features]: added to.</param>
    public static void Add(
        GpuSession session, DeviceMatrix gradient, ArrayView<int> columns, ArrayView<int> tokens, ArrayView<int> starts, DeviceMatrix table)
    {
        if (table.Pitch < gradient.Rows || starts.Length != tokens.Length + 1)
        {
            throw new ArgumentException($"embedding: expected a table of {gradient.Rows} features and {tokens.Length + 1} starts, found {table.Pitch} and {starts.Length}");
        }

        session.Plain<Arguments>(Entry)(checked((int)tokens.Length * gradient.Rows), new()
        {
            Gradient = gradient.Floats,
            Columns = columns,
            Tokens = tokens,
            Starts = starts,
            Table = table.Floats,
            Features = gradient.Rows,
            GradientPitch = gradient.Pitch,
            TablePitch = table.Pitch,
        });
    }

    private static void Entry(Index1D item, Arguments p)
    {
        int number = item / p.Features, feature = item - (number * p.Features);
        float sum = 0;
        for (int i = p.Starts[number]; i < p.Starts[number + 1]; i++)
        {
            sum += p.Gradient[((long)feature * p.GradientPitch) + p.Columns[i]];
        }

        p.Table[((long)p.Tokens[number] * p.TablePitch) + feature] += sum;
    }

    internal struct Arguments
    {
        public ArrayView<float> Gradient;
        public ArrayView<int> Columns;
        public ArrayView<int> Tokens;
        public ArrayView<int> Starts;
        public ArrayView<float> Table;
        public int Features;
        public int GradientPitch;
        public int TablePitch;
    }
}
