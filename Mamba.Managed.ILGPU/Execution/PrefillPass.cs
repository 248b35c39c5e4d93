using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>A pass over sequences of any lengths: every layer over the tokens of all of them.</summary>
/// <remarks>Gu and Dao 2023, figure 3 and algorithm 2; activations are [features, tokens]. Asynchronous but for logits on their way to the caller.</remarks>
internal sealed class PrefillPass : IDisposable
{
    private readonly GpuSession session;
    private readonly DeviceWeights weights;
    private readonly ModelShape shape;
    private readonly StatePool pool;
    private readonly LogitBuffer logitBuffer;
    private readonly Activations activations;
    private readonly Activations selected;
    private readonly DeviceMemory memory;
    private readonly ArrayView<float> workspace;

    /// <param name="session">Where it runs.</param>
    /// <param name="weights">The model.</param>
    /// <param name="pool">The sequences' states.</param>
    /// <param name="logits">Where logits go.</param>
    /// <param name="columns">The most columns of a pass.</param>
    public PrefillPass(GpuSession session, DeviceWeights weights, StatePool pool, LogitBuffer logits, int columns)
    {
        (this.session, this.weights, this.pool, logitBuffer, shape) = (session, weights, pool, logits, weights.Shape);
        memory = new(session);
        workspace = memory.Take<float>(WorkspaceLength(columns));
        (activations, selected) = (new(session, shape, weights.Type), new(session, shape, weights.Type));
    }

    /// <summary>Makes room for passes up to a size, so that a pass that has begun does not fail for want of memory.</summary>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public void Reserve(int columns, int logits)
    {
        activations.Reserve(Padding.Up(columns, Padding.Columns));
        if (logits > 0)
        {
            int rows = Math.Min(logits, LogitBuffer.MostRows);
            logitBuffer.Reserve(rows);
            selected.Reserve(Padding.Up(rows, Padding.Columns));
        }
    }

    /// <summary>Moves the sequences' states on by their tokens.</summary>
    /// <param name="columns">The tokens; sent to the device.</param>
    /// <param name="logits">[wanted rows, vocab_size], and more behind them.</param>
    /// <returns>What follows them in <paramref name="logits"/>.</returns>
    public Span<float> Run(PassColumns columns, Span<float> logits)
    {
        Blocks(columns);
        for (int first = 0; first < columns.WantedCount; first += LogitBuffer.MostRows)
        {
            int count = Math.Min(LogitBuffer.MostRows, columns.WantedCount - first);
            Head(columns.Wanted(first, count), count);
            logits = logitBuffer.Deliver(count, logits);
        }

        return logits;
    }

    /// <summary>Launches what <see cref="Run"/> launches, so that a session that rehearses knows the kernels.</summary>
    public void Rehearse(PassColumns columns)
    {
        Blocks(columns);
        Head(columns.Wanted(0, columns.WantedCount), columns.WantedCount);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        activations.Dispose();
        selected.Dispose();
        memory.Dispose();
    }

    // Every block but for the output of the last, of which only the wanted columns are needed.
    private void Blocks(PassColumns columns)
    {
        activations.Reserve(columns.Pitch);
        Embedding.Gather(session, weights.Embedding, columns.Tokens, columns.Pitch, activations.Residual);
        for (int i = 0; i < weights.Layers.Length; i++)
        {
            LayerWeights layer = weights.Layers[i];
            Normalize(activations.Residual, layer.Norm, columns.Used, activations.Normalized);
            Mix(layer, i, columns);
            if (i < weights.Layers.Length - 1)
            {
                Project(layer, activations.Channels, activations.Residual, columns.Used);
            }
        }
    }

    private void Mix(LayerWeights layer, int index, PassColumns columns)
    {
        // [2 * channels, tokens]: x and z.
        DeviceMatrix gated = activations.Gated, u = activations.Channels, projected = activations.Projected;
        DeviceMatrix x = gated.Slice(0, shape.Channels), z = gated.Slice(shape.Channels, shape.Channels);
        Multiply(layer.InProj, activations.Normalized, gated, columns.Used, new() { Bias = layer.InBias });
        CausalConvolution.Forward(session, new()
        {
            X = x, Weight = layer.ConvWeight, Bias = layer.ConvBias, Segments = columns.Segments, States = Slots(shape.ConvOffset(index)), Y = u,
        });

        // [rank + 2 * states, tokens]: dt, B, C.
        Multiply(layer.XProj, u, projected, columns.Used, default);
        DeviceMatrix dt = projected.Slice(0, shape.Rank), b = projected.Slice(shape.Rank, shape.States), c = projected.Slice(shape.Rank + shape.States, shape.States);
        if (shape.Config.MixerNormEpsilon is float epsilon)
        {
            RmsNormalization.Forward(session, dt, shape.Config.DtRank, ArrayView<float>.Empty, epsilon, columns.Used, dt);
            RmsNormalization.Forward(session, b, shape.Config.DState, ArrayView<float>.Empty, epsilon, columns.Used, b);
            RmsNormalization.Forward(session, c, shape.Config.DState, ArrayView<float>.Empty, epsilon, columns.Used, c);
        }

        // Delta overwrites the convolution's inputs, which are not needed any more, and the scan's output its input.
        Multiply(layer.DtProj, dt, x, columns.Used, default);
        SelectiveScan.Forward(session, new()
        {
            U = u, Delta = x, Z = z, B = b, C = c, A2 = layer.A2, DeltaBias = layer.DtBias, D = layer.D,
            Segments = columns.Segments, States = Slots(shape.ScanOffset(index)), Y = u,
        });
    }

    // [features, tokens] += out_proj [features, channels] times [channels, tokens].
    private void Project(LayerWeights layer, DeviceMatrix y, DeviceMatrix residual, int columns) =>
        Multiply(layer.OutProj, y, residual, columns, new() { Bias = layer.OutBias, Accumulate = true });

    // The last block's output, norm and head of some columns; rows of logits are the columns.
    private void Head(ArrayView<int> wanted, int count)
    {
        selected.Reserve(Padding.Up(count, Padding.Columns));
        ColumnSelection.Gather(session, activations.Channels, wanted, count, selected.Channels);
        ColumnSelection.Gather(session, activations.Residual, wanted, count, selected.Residual);
        Project(weights.Layers[^1], selected.Channels, selected.Residual, count);
        Normalize(selected.Residual, weights.NormF, count, selected.Normalized);
        MatrixProduct.Multiply(
            session,
            new(selected.Normalized, Transposed: true),
            new(weights.Head, Transposed: true),
            logitBuffer.Matrix(count),
            shape.Vocabulary,
            new() { Workspace = workspace });
    }

    private void Normalize(DeviceMatrix x, ArrayView<float> weight, int columns, DeviceMatrix y) =>
        RmsNormalization.Forward(session, x, shape.Config.DModel, weight, shape.Config.NormEpsilon, columns, y);

    private void Multiply(DeviceMatrix weight, DeviceMatrix x, DeviceMatrix y, int columns, ProductOptions options) =>
        MatrixProduct.Multiply(session, new(weight), new(x), y, columns, options with { Workspace = workspace });

    private StateSlots Slots(long offset) => new(pool.View, shape.StateLength, offset);

    // Products of few columns are divided over their depth, those of many are not: the most lies anywhere between.
    private long WorkspaceLength(int most)
    {
        long length = 0;
        for (int columns = Padding.Rows; columns <= most; columns *= 2)
        {
            length = Math.Max(length, MatrixProduct.WorkspaceLength(session, 2 * shape.Channels, columns, shape.Features));
            length = Math.Max(length, MatrixProduct.WorkspaceLength(session, shape.Projected, columns, shape.Channels));
            length = Math.Max(length, MatrixProduct.WorkspaceLength(session, shape.Channels, columns, shape.Rank));
            length = Math.Max(length, MatrixProduct.WorkspaceLength(session, shape.Features, columns, shape.Channels));
            length = Math.Max(length, MatrixProduct.WorkspaceLength(session, Math.Min(columns, LogitBuffer.MostRows), shape.Vocabulary, shape.Features));
        }

        return length;
    }
}
