using System.Globalization;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>Trains on a GPU in float32: weights, gradients, moments and activations are in its memory, states that batches carry in the host's.</summary>
/// <remarks>
/// The same calls give the same bits, run after run; those of the processor within 1e-4. A step that throws changes nothing. A device that has
/// failed stays so: dispose the engine, and go on from a checkpoint.
/// </remarks>
public sealed class GpuTrainingEngine : ITrainingEngine
{
    private readonly Lock gate = new();
    private readonly GpuSession session;
    private readonly bool ownsSession;
    private readonly DeviceMemory memory;
    private readonly TrainingPass pass;
    private readonly AdamWOptions optimizer;
    private readonly double averageDecay;
    private readonly DeviceParameters weights;
    private readonly DeviceParameters first;
    private readonly DeviceParameters second;
    private readonly DeviceParameters? average;
    private readonly ParameterViews gradients;
    private readonly ArrayView<byte> decays;
    private readonly GradientNorm norm;
    private bool isStale;
    private bool disposed;

    /// <summary>Prepares to train a model.</summary>
    /// <param name="model">The first weights; copied.</param>
    /// <param name="options">The recipe, of which the optimizer and the decay of the average count here.</param>
    /// <param name="device">The device.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="GpuException">The device cannot be used, or has too little memory for weights, gradients and moments.</exception>
    public GpuTrainingEngine(MambaLanguageModel model, TrainerOptions options, GpuDevice device)
        : this(Present(model), Present(options), DeviceList.Open(Present(device), KernelCache.DefaultFolder), ownsSession: true)
    {
    }

    /// <summary>As the public one, on a session that others may use before and after it, or that it disposes, also where this throws.</summary>
    internal GpuTrainingEngine(MambaLanguageModel model, TrainerOptions options, GpuSession session, bool ownsSession)
    {
        (this.session, this.ownsSession) = (session, ownsSession);
        memory = new DeviceMemory(session);
        try
        {
            options.Validate();
            (optimizer, averageDecay) = (options.Optimizer, options.AverageDecay);
            ModelShape shape = new(model.Config.Validate());
            Layout = new ParameterLayout(shape);

            // Weights, gradients, two moments, and perhaps the average.
            session.RequireFree((averageDecay > 0 ? 5 : 4) * sizeof(float) * Layout.Length);
            (weights, first, second) = (New(model.CopyToFloat32()), New(new Gradients(model).Tree), New(new Gradients(model).Tree));
            average = averageDecay > 0 ? New(model.CopyToFloat32()) : null;
            gradients = new ParameterViews(memory.Take<float>(Layout.Length), Layout);
            decays = memory.Take<byte>(Layout.Length / AdamWUpdate.Unit);
            norm = new GradientNorm(session, memory, Layout);
            pass = new TrainingPass(session, shape, Layout);
            session.Guarded(() =>
            {
                decays.CopyFromCPU(session.Stream, Decays(Layout));
                weights.Upload();
                average?.Upload();
            });
        }
        catch
        {
            Release();
            throw;
        }

        DeviceParameters New(MambaLanguageModel tree) => new(session, memory, Layout, tree);
    }

    /// <inheritdoc/>
    public MambaLanguageModel Model => weights.Tree;

    /// <inheritdoc/>
    public MambaLanguageModel? Average => average?.Tree;

    /// <inheritdoc/>
    public MambaLanguageModel FirstMoments => first.Tree;

    /// <inheritdoc/>
    public MambaLanguageModel SecondMoments => second.Tree;

    /// <inheritdoc/>
    public long Steps { get; private set; }

    internal ParameterLayout Layout { get; }

    /// <inheritdoc/>
    public void ClearGradients()
    {
        lock (gate)
        {
            RequireUsable();
            session.Guarded(() => gradients.All.MemSetToZero(session.Stream));
        }
    }

    /// <inheritdoc/>
    /// <exception cref="GpuException">The device has too little memory for the batch, or has failed; states are as they were.</exception>
    public TrainingLoss Run(TrainingBatch batch, double divisor = 0, Dropout dropout = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (!(divisor >= 0) || double.IsInfinity(divisor))
        {
            throw new ArgumentException(Found($"expected a positive number of targets, or 0 for those of the batch, found {divisor}"), nameof(divisor));
        }

        if (!(dropout.Rate >= 0 && dropout.Rate < 1))
        {
            throw new ArgumentException(Found($"expected a rate from 0 up to but not including 1, found {dropout.Rate}"), nameof(dropout));
        }

        TrainingBatch copy = batch.CheckedCopy(Model.Config);
        double scale = 1 / (divisor > 0 ? divisor : Math.Max(copy.TargetCount, 1));
        lock (gate)
        {
            RequireUsable();
            return session.Guarded(() => pass.Run(copy, weights.Views, gradients, (float)scale, dropout));
        }
    }

    /// <inheritdoc/>
    /// <exception cref="GpuException">The device has too little memory for the batch, or has failed; states are as they were.</exception>
    public TrainingLoss Evaluate(TrainingBatch batch, bool averaged = false)
    {
        ArgumentNullException.ThrowIfNull(batch);
        TrainingBatch copy = batch.CheckedCopy(Model.Config);
        lock (gate)
        {
            RequireUsable();
            return session.Guarded(() => pass.Run(copy, (averaged ? average ?? weights : weights).Views, null, 1, default));
        }
    }

    /// <inheritdoc/>
    /// <exception cref="GpuException">The device has failed.</exception>
    public double Step(double learningRate)
    {
        if (!(learningRate >= 0 && learningRate <= AdamW.MaxLearningRate))
        {
            throw new ArgumentException(Found($"expected a learning rate from 0 to {AdamW.MaxLearningRate}, found {learningRate}"), nameof(learningRate));
        }

        lock (gate)
        {
            RequireUsable();
            double found = session.Guarded(() => norm.Measure(gradients.All));
            isStale = true;
            session.Guarded(() => Move(found, learningRate));
            Steps++;
            return found;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="GpuException">The device has failed.</exception>
    public void Download()
    {
        lock (gate)
        {
            RequireUsable();
            if (isStale)
            {
                session.Guarded(() => Each(parameters => parameters.Download()));
                isStale = false;
            }
        }
    }

    /// <inheritdoc/>
    /// <exception cref="GpuException">The device has failed.</exception>
    public void Upload(long steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        lock (gate)
        {
            RequireUsable();
            session.Guarded(() => Each(parameters => parameters.Upload()));
            (Steps, isStale) = (steps, false);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Waits for the running call, and frees all memory, that of the host's copies included.</remarks>
    public void Dispose()
    {
        lock (gate)
        {
            if (!disposed)
            {
                disposed = true;
                Release();
                Each(parameters => parameters.Tree.DisposeParameters());
            }
        }
    }

    /// <summary>Copies the gradients to a tree of the model's shape.</summary>
    internal void DownloadGradients(Gradients destination) =>
        new DeviceParameters(session, Layout, gradients, destination.Tree).Download();

    private static T Present<T>(T argument, [CallerArgumentExpression(nameof(argument))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(argument, name);
        return argument;
    }

    private static string Found(FormattableString message) => message.ToString(CultureInfo.InvariantCulture);

    private static byte[] Decays(ParameterLayout layout)
    {
        byte[] decays = new byte[layout.Length / AdamWUpdate.Unit];
        foreach (ParameterPlace place in layout.Places.Where(place => place.Decays))
        {
            long start = place.Start / AdamWUpdate.Unit, end = (place.Start + place.Length + AdamWUpdate.Unit - 1) / AdamWUpdate.Unit;
            decays.AsSpan((int)start, (int)(end - start)).Fill(1);
        }

        return decays;
    }

    private void RequireUsable()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        session.RequireWorking();
    }

    private void Move(double found, double learningRate)
    {
        long step = Steps + 1;
        AdamWUpdate.Run(session, Update(step, found, learningRate));
        if (average is not null)
        {
            // In the first steps the average follows faster, as on the processor.
            double share = 1 - Math.Min(averageDecay, (1.0 + step) / (10.0 + step));
            MovingAverage.Run(session, average.Views.All, weights.Views.All, (float)share);
        }
    }

    private AdamWUpdate.Arguments Update(long step, double found, double learningRate) => new()
    {
        Weights = weights.Views.All,
        Gradients = gradients.All,
        First = first.Views.All,
        Second = second.Views.All,
        Decays = decays,

        // The 1e-6 is that of PyTorch's clip_grad_norm_.
        GradientFactor = optimizer.MaxNorm > 0 ? (float)Math.Min(1, optimizer.MaxNorm / (found + 1e-6)) : 1,
        Beta1 = optimizer.Beta1,
        Beta2 = optimizer.Beta2,
        Epsilon = optimizer.Epsilon,
        Keep = (float)Math.Max(0, 1 - (learningRate * optimizer.WeightDecay)),
        Rate = (float)(learningRate / (1 - Math.Pow(optimizer.Beta1, step))),
        Root = (float)(1 / Math.Sqrt(1 - Math.Pow(optimizer.Beta2, step))),
    };

    private void Release()
    {
        pass?.Dispose();
        memory.Dispose();
        if (ownsSession)
        {
            session.Dispose();
        }
    }

    private void Each(Action<DeviceParameters> action)
    {
        action(weights);
        action(first);
        action(second);
        if (average is not null)
        {
            action(average);
        }
    }
}
