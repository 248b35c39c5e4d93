using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>Runs a Mamba model on a GPU.</summary>
/// <remarks>
/// The weights are copied once; the model and its file are not needed afterwards. The same call gives the same bits in every run. Results of other
/// passes - chunks instead of a whole prompt, a batch instead of single sequences - lie within 1e-5 of one another, and those of float32 within
/// 1e-4 of the processor's. A device that fails makes the executor unusable; the process lives on.
/// </remarks>
public sealed class GpuExecutor : IMambaExecutor
{
    private const int UsualPrompt = 512;

    private readonly GpuSession session;
    private readonly DeviceWeights weights;
    private readonly DeviceStates states;
    private readonly StateLayout layout;
    private readonly PassBatch batch;
    private readonly PassColumns columns;
    private readonly LogitBuffer logitBuffer;
    private readonly PrefillPass prefill;
    private readonly StepPass step;

    // Whatever was made before a failure belongs to the session, whose disposal frees it.
    private GpuExecutor(GpuSession session, bool ownsSession, MambaLanguageModel model, GpuOptions options)
    {
        (this.session, MaxRows) = (session, options.MaxRows);
        Config = model.Config;
        Fingerprint = ModelFingerprint.Of(model);
        layout = StateLayout.Of(Config);
        weights = WeightUpload.Run(session, model, IsBFloat16(model, options.Precision));
        states = new(session, weights.Shape, layout, ownsSession);
        batch = new(Config, states, MaxRows);
        columns = new(session, Padding.Up(MaxRows, Padding.Columns));
        logitBuffer = new(session, weights.Shape);
        prefill = new(session, weights, states.Pool, logitBuffer, columns.Capacity);
        Task compiling = Rehearse();
        step = new StepPass(session, weights, states.Pool, Math.Min(MaxRows, LogitBuffer.MostRows));
        compiling.Wait();
    }

    /// <summary>Copies a model to a device and prepares it.</summary>
    /// <param name="model">The weights, of any floating-point type.</param>
    /// <param name="device">See <see cref="GpuDevice.Find"/>.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The model's tensors do not fit its configuration, or an option is out of range.</exception>
    /// <exception cref="GpuException">The device does not start, or has too little memory; what was taken is free again.</exception>
    public static GpuExecutor Create(MambaLanguageModel model, GpuDevice device, GpuOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(device);
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxRows, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.MemoryLimit, nameof(options));
        model.Validate();
        string? cache = options.KernelCacheFolder ?? KernelCache.DefaultFolder;
        GpuSession session = DeviceList.Open(device, cache.Length == 0 ? null : cache, options.MemoryLimit);
        try
        {
            return session.Guarded(() => new GpuExecutor(session, ownsSession: true, model, options));
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>As the public method, on a session that others use too and that outlives the executor.</summary>
    internal static GpuExecutor Create(MambaLanguageModel model, GpuSession session, GpuOptions options)
    {
        lock (session.Gate)
        {
            model.Validate();
            return session.Guarded(() => new GpuExecutor(session, ownsSession: false, model, options));
        }
    }

    /// <inheritdoc/>
    public MambaConfig Config { get; }

    /// <inheritdoc/>
    public ModelFingerprint Fingerprint { get; }

    /// <inheritdoc/>
    public int MaxRows { get; }

    /// <inheritdoc/>
    public long StepBytes => weights.StepBytes;

    /// <inheritdoc cref="IMambaExecutor.CreateState"/>
    /// <exception cref="GpuException">The device has too little memory, or has failed.</exception>
    public GpuState CreateState() => new(layout, states, states.Take());

    /// <inheritdoc/>
    SequenceState IMambaExecutor.CreateState() => CreateState();

    /// <inheritdoc/>
    /// <exception cref="GpuException">The device has too little memory, or has failed.</exception>
    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        lock (session.Gate)
        {
            states.RequireOpen();
            this.batch.Take(tokens, batch, logits.Length);
            try
            {
                Reserve();
                Compute(logits);
                this.batch.Advance();
            }
            finally
            {
                this.batch.Release();
            }
        }
    }

    /// <summary>Waits for the running pass and frees the device's memory. States remain, can be exported, and free theirs when they are disposed.</summary>
    public void Dispose()
    {
        lock (session.Gate)
        {
            if (states.TryClose())
            {
                step.Dispose();
                prefill.Dispose();
                logitBuffer.Dispose();
                columns.Dispose();
                weights.Dispose();
                states.Dispose();
            }
        }
    }

    private static bool IsBFloat16(MambaLanguageModel model, GpuPrecision precision) => precision switch
    {
        GpuPrecision.BFloat16 => true,
        GpuPrecision.Automatic => model.Layers[0].Mixer.InProj.Weight.Type == ElementType.BFloat16,
        _ => false,
    };

    // A first prompt would otherwise wait for one kernel after the other. The emulation compiles only what is needed.
    private Task Rehearse()
    {
        if (session.Accelerator.AcceleratorType != AcceleratorType.Cuda)
        {
            return Task.CompletedTask;
        }

        // Kernels are given a state to write, so the pool has one from now on.
        states.Pool.Return(states.Pool.Take());
        columns.Clear();
        columns.TryAdd(new int[Math.Min(UsualPrompt, MaxRows)], 1, 0);
        prefill.Reserve(columns.Pitch, 1);
        return session.Rehearse(() => prefill.Rehearse(columns));
    }

    private void Reserve()
    {
        if (batch.IsStep)
        {
            logitBuffer.Reserve(Math.Min(batch.Count, step.MaxRows));
            return;
        }

        int used = 0;
        foreach (SequenceInput input in batch.Inputs)
        {
            used = Math.Min(used + Padding.Up(input.Length, Padding.Sequence), columns.Capacity);
        }

        prefill.Reserve(used, batch.LogitCount);
    }

    private void Compute(Span<float> logits)
    {
        try
        {
            if (batch.IsStep)
            {
                Steps(logits);
            }
            else
            {
                Passes(logits);
            }

            session.Synchronize();
        }
        catch (Exception error)
        {
            batch.Tear();
            if (error is AcceleratorException failure)
            {
                throw session.Failed(failure);
            }

            throw;
        }
    }

    private void Steps(Span<float> logits)
    {
        for (int first = 0; first < batch.Count; first += step.MaxRows)
        {
            int count = Math.Min(step.MaxRows, batch.Count - first);
            ReadOnlySpan<SequenceInput> inputs = batch.Inputs.Slice(first, count);
            int wanted = 0;
            foreach (SequenceInput input in inputs)
            {
                wanted += input.LogitCount;
            }

            ArrayView<float> rows = wanted > 0 ? logitBuffer.Rows(logitBuffer.Capacity) : ArrayView<float>.Empty;
            step.Run(batch.Tokens.Slice(first, count), batch.Slots.Slice(first, count), rows);
            if (wanted > 0)
            {
                logits = logitBuffer.Deliver(inputs, logits);
            }
        }
    }

    private bool Add(SequenceInput input, ReadOnlySpan<int> tokens, int slot) => columns.TryAdd(tokens[..input.Length], input.LogitCount, slot);

    // Sequences share a pass while their columns fit.
    private void Passes(Span<float> logits)
    {
        ReadOnlySpan<int> tokens = batch.Tokens;
        for (int next = 0; next < batch.Count;)
        {
            columns.Clear();
            for (; next < batch.Count && Add(batch.Inputs[next], tokens, batch.Slots[next]); next++)
            {
                tokens = tokens[batch.Inputs[next].Length..];
            }

            columns.Send();
            logits = prefill.Run(columns, logits);
            session.Synchronize();
        }
    }
}
