using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>Runs batches forward and backward. The memory for activations is reused from batch to batch, and grows with the largest.</summary>
internal sealed class TrainingPass : IDisposable
{
    private readonly GpuSession session;
    private readonly ModelShape shape;
    private readonly DeviceMemory own;
    private readonly ArrayView<float> decays;
    private readonly ArrayView<float>[] decaysOfBlocks;
    private DeviceMemory? room;
    private ArrayView<Float4> block;
    private ArrayView<Segment> segments;
    private (BatchSize Size, TrainingActivations Activations)? last;
    private bool isDirty;
    private bool isCompiled;

    /// <summary>Prepares passes over models of one shape.</summary>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public TrainingPass(GpuSession session, ModelShape shape, ParameterLayout layout)
    {
        (this.session, this.shape, own) = (session, shape, new DeviceMemory(session));
        decays = own.Take<float>(layout.ALogLength);
        decaysOfBlocks = [.. layout.Blocks.Select(places => decays.SubView(places.ALog.Start, places.ALog.Length))];
    }

    /// <summary>The loss of a batch; where there are gradients, those of the batch are added to them.</summary>
    /// <param name="batch">A checked batch.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="gradients">Their gradients; null for the loss alone.</param>
    /// <param name="scale">Factor of the loss in its gradient.</param>
    /// <param name="dropout">Drops entries of each block's output.</param>
    /// <exception cref="NonFiniteException">The loss of a pass with gradients is not finite; states are as they were.</exception>
    /// <exception cref="GpuException">The device has too little memory or has failed; states are as they were.</exception>
    public TrainingLoss Run(TrainingBatch batch, ParameterViews weights, ParameterViews? gradients, float scale, Dropout dropout)
    {
        BatchColumns columns = new(batch);
        HostStates? states = batch.States is null ? null : new(shape, batch.States);
        HostStates? stateGradients = gradients is null || batch.StateGradients is null ? null : new(shape, batch.StateGradients);
        TrainingActivations memory = Reserve(new(columns.Pitch, columns.Segments.Length, states is not null, stateGradients is not null));
        Clear(memory, columns.HasPadding);
        states?.Upload(session, memory.States);
        states?.Upload(session, memory.FirstStates);
        stateGradients?.Upload(session, memory.StateGradients);
        PassContext pass = new()
        {
            Session = session,
            Shape = shape,
            Memory = memory,
            Weights = weights,
            Gradients = gradients,
            Decays = decaysOfBlocks,
            Columns = columns,
            Segments = new(Upload(columns, memory), columns.Longest),
            Dropout = dropout,
            Scale = scale,
        };
        Compile(pass);
        Launch(pass);
        return Finish(pass, states, stateGradients, batch);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        room?.Dispose();
        own.Dispose();
    }

    // A first batch would otherwise wait for one kernel after the other. The emulation compiles only what is needed.
    private void Compile(PassContext pass)
    {
        if (!isCompiled && session.Accelerator.AcceleratorType == AcceleratorType.Cuda)
        {
            session.Rehearse(() => Launch(pass)).GetAwaiter().GetResult();
            isCompiled = pass.Gradients is not null;
        }
    }

    private void Launch(PassContext pass)
    {
        Decays.Run(session, pass.Weights.ALogs, decays);
        ForwardPass.Run(pass);
        HeadPass.Run(pass);
        if (pass.Gradients is not null)
        {
            BackwardPass.Run(pass);
        }
    }

    private TrainingLoss Finish(PassContext pass, HostStates? states, HostStates? stateGradients, TrainingBatch batch)
    {
        float[] statistics = new float[pass.Memory.Statistics.Length];
        pass.Memory.Statistics.CopyToCPU(session.Stream, statistics);
        session.Synchronize();
        double loss = HeadPass.Loss(pass, statistics);
        if (!double.IsFinite(loss))
        {
            // What is not finite would stay in padding columns and spoil later sums.
            isDirty = true;
            if (pass.Gradients is not null)
            {
                throw NonFiniteException.Of("the loss");
            }
        }

        float[][]? after = states?.Download(session, pass.Memory.States), slopes = stateGradients?.Download(session, pass.Memory.StateGradients);
        states?.Replace(after!, batch.Lengths.Span);
        try
        {
            stateGradients?.Replace(slopes!, []);
        }
        catch
        {
            states?.Restore(batch.Lengths.Length);
            throw;
        }

        return new(loss, batch.TargetCount);
    }

    private TrainingActivations Reserve(BatchSize size)
    {
        if (last is { } kept && kept.Size == size)
        {
            return kept.Activations;
        }

        last = null;
        long length = new TrainingActivations(session, shape, size, ArrayView<Float4>.Empty).Length;
        if (room is null || block.Length < length || segments.Length < size.Sequences)
        {
            Grow(Math.Max(length, block.Length), Math.Max(size.Sequences, segments.Length));
        }

        isDirty = true;
        TrainingActivations activations = new(session, shape, size, block);
        last = (size, activations);
        return activations;
    }

    // A pass that finds too little memory is left without any: the next one takes what it needs.
    private void Grow(long length, long sequences)
    {
        session.Synchronize();
        room?.Dispose();
        (room, block, segments) = (null, ArrayView<Float4>.Empty, ArrayView<Segment>.Empty);
        DeviceMemory taken = new(session);
        try
        {
            (block, segments) = (taken.Take<Float4>(length), taken.Take<Segment>(sequences));
            room = taken;
        }
        finally
        {
            if (room is null)
            {
                taken.Dispose();
            }
        }
    }

    // Columns of padding must hold something finite, and zeros in gradients; without padding every column is written before it is read.
    private void Clear(TrainingActivations memory, bool hasPadding)
    {
        if (hasPadding || isDirty)
        {
            block.MemSetToZero(session.Stream);
            isDirty = false;
        }
        else
        {
            session.Clear(memory.States);
        }
    }

    private ArrayView<Segment> Upload(BatchColumns columns, TrainingActivations memory)
    {
        Copy(columns.Rows, memory.Rows);
        Copy(columns.Tokens, memory.Tokens);
        Copy(columns.Targets, memory.Targets);
        Copy(columns.SortedColumns, memory.SortedColumns);
        Copy(columns.DistinctTokens, memory.DistinctTokens);
        Copy(columns.Starts, memory.Starts);
        ArrayView<Segment> used = segments.SubView(0, columns.Segments.Length);
        used.CopyFromCPU(session.Stream, columns.Segments);
        return used;

        void Copy(int[] from, ArrayView<int> to) => to.SubView(0, from.Length).CopyFromCPU(session.Stream, from);
    }
}
