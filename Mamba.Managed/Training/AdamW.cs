using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>Adam with decoupled weight decay and clipping by the norm over all parameters; writes a model's weights in place.</summary>
/// <remarks>
/// Loshchilov and Hutter 2019; Pascanu et al. 2013 for the clipping. The moments are trees of the model's own shape. Matrices and
/// filters decay; A_log, D, biases and the scales of norms do not. The same bits with any number of threads. Calls from several threads
/// take turns. The weights are the caller's to dispose, the moments are disposed with this; a step keeps the memory of both until it returns.
/// </remarks>
public sealed unsafe class AdamW : IDisposable
{
    /// <summary>The greatest learning rate that <see cref="Step"/> takes: far beyond what any model learns at.</summary>
    public const double MaxLearningRate = 1e6;

    private const int BlockLength = 1 << 16;

    private readonly Lock gate = new();
    private readonly Parameter[] parameters;
    private readonly (int Parameter, int Start)[] blocks;
    private readonly double[] squares;
    private readonly Gradients first;
    private readonly Gradients second;

    /// <summary>Prepares to train a model.</summary>
    /// <param name="model">Float32 weights in memory of their own, as <see cref="MambaLanguageModel.CopyToFloat32"/> gives them; written by <see cref="Step"/>.</param>
    /// <param name="options">How to step; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the weights cannot be written.</exception>
    public AdamW(MambaLanguageModel model, AdamWOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Options = (options ?? new AdamWOptions()).Validate();
        Model = model;
        IReadOnlyList<KeyValuePair<string, Tensor>> weights = Layers.ParameterTrees.Parameters(model);
        CheckWritable(weights);
        (first, second) = (new Gradients(model), new Gradients(model));
        Dictionary<string, bool> decays = model.Describe().ToDictionary(weight => weight.Path, weight => weight.Info.Decays, StringComparer.Ordinal);
        parameters =
        [
            .. ParameterPairs.Of(weights, first.Parameters, nameof(model)).Zip(
                ParameterPairs.Of(weights, second.Parameters, nameof(model)), (a, b) => new Parameter(a.Path, a.Weight, a.Other, b.Other, decays[a.Path])),
        ];
        blocks = [.. parameters.SelectMany((parameter, i) => Starts(parameter.Weight.Count).Select(start => (i, start)))];
        squares = new double[blocks.Length];

        static IEnumerable<int> Starts(int count) => Enumerable.Range(0, (count + BlockLength - 1) / BlockLength).Select(i => i * BlockLength);
    }

    /// <summary>How it steps.</summary>
    public AdamWOptions Options { get; }

    /// <summary>The model whose weights are written.</summary>
    public MambaLanguageModel Model { get; }

    /// <summary>Steps made.</summary>
    public long Steps { get; internal set; }

    /// <summary>The first moment of every gradient.</summary>
    public MambaLanguageModel FirstMoments => first.Tree;

    /// <summary>The second moment of every gradient.</summary>
    public MambaLanguageModel SecondMoments => second.Tree;

    /// <summary>Moves the weights one step down the gradient.</summary>
    /// <param name="gradients">Of the model; left as they are.</param>
    /// <param name="learningRate">From 0 to <see cref="MaxLearningRate"/>.</param>
    /// <param name="pass">Whose threads compute; null for the calling thread alone.</param>
    /// <returns>The norm over all gradients before clipping.</returns>
    /// <remarks>Whatever can fail does so before the first weight is written: a step that throws changes neither weights nor moments nor <see cref="Steps"/>.</remarks>
    /// <exception cref="ArgumentException">The gradients are those of another model, or the learning rate is out of range.</exception>
    /// <exception cref="NonFiniteException">A gradient is not finite.</exception>
    /// <exception cref="ObjectDisposedException">This, the pass, or memory of the weights or the gradients has been disposed.</exception>
    public double Step(Gradients gradients, double learningRate, TrainingPass? pass = null)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        if (!(learningRate >= 0 && learningRate <= MaxLearningRate))
        {
            Throw.Argument(Throw.Invariant($"expected a learning rate from 0 to {MaxLearningRate}, found {learningRate}"), nameof(learningRate));
        }

        lock (gate)
        {
            using MemoryLeases leases = new();
            Pointers[] pointers = Lease(leases, gradients);
            Share(pass, (block, i, start, count) => squares[block] = AdamWUpdate.SumOfSquares(pointers[i].Gradient + start, count));
            double norm = Norm();
            AdamWUpdate[] updates = [.. parameters.Select(parameter => Update(parameter, Steps + 1, norm, learningRate))];
            Share(pass, (_, i, start, count) =>
            {
                Pointers at = pointers[i];
                updates[i].Run(at.Weight + start, at.Gradient + start, at.First + start, at.Second + start, count);
            });
            Steps++;
            return norm;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Waits for the step that runs.</remarks>
    public void Dispose()
    {
        lock (gate)
        {
            first.Dispose();
            second.Dispose();
        }
    }

    private static void CheckWritable(IReadOnlyList<KeyValuePair<string, Tensor>> weights)
    {
        foreach ((string path, Tensor weight) in weights)
        {
            if (weight.Type != ElementType.Float32 || weight.Buffer.IsReadOnly)
            {
                Throw.Argument($"expected Float32 weights in memory of their own, found {weight} at {path}; copy the model with CopyToFloat32", "model");
            }
        }
    }

    private Pointers[] Lease(MemoryLeases leases, Gradients gradients)
    {
        ParameterPair[] pairs = ParameterPairs.Of([.. parameters.Select(p => KeyValuePair.Create(p.Path, p.Weight))], gradients.Parameters, nameof(gradients));
        Pointers[] pointers = new Pointers[pairs.Length];
        for (int i = 0; i < pairs.Length; i++)
        {
            ((string path, Tensor weight, Tensor gradient), Parameter own) = (pairs[i], parameters[i]);
            pointers[i] = new(leases.Take(path, weight), leases.Take(path, gradient), leases.Take(path, own.First), leases.Take(path, own.Second));
        }

        return pointers;
    }

    private double Norm()
    {
        double total = 0, sum = 0;
        for (int block = 0; block < blocks.Length; block++)
        {
            sum += squares[block];
            if (block + 1 == blocks.Length || blocks[block + 1].Parameter != blocks[block].Parameter)
            {
                total += double.IsFinite(sum) ? sum : throw NonFiniteException.Of("the gradient of " + parameters[blocks[block].Parameter].Path);
                sum = 0;
            }
        }

        return Math.Sqrt(total);
    }

    private AdamWUpdate Update(Parameter parameter, long step, double norm, double learningRate) => new()
    {
        // As in PyTorch, a little is added to the norm, so that a clipped gradient is just below the limit.
        GradientFactor = Options.MaxNorm > 0 ? (float)Math.Min(1, Options.MaxNorm / (norm + 1e-6)) : 1,
        Beta1 = Options.Beta1,
        Beta2 = Options.Beta2,
        Epsilon = Options.Epsilon,
        Keep = (float)Math.Max(0, 1 - (parameter.Decays ? learningRate * Options.WeightDecay : 0)),
        Rate = (float)(learningRate / (1 - Math.Pow(Options.Beta1, step))),
        Root = (float)(1 / Math.Sqrt(1 - Math.Pow(Options.Beta2, step))),
    };

    private void Share(TrainingPass? pass, BlockAction action)
    {
        Region region = new(this, action);
        if (pass is null)
        {
            region.Execute(Worker.Alone);
        }
        else
        {
            pass.Share(region);
        }
    }

    private delegate void BlockAction(int block, int parameter, int start, int count);

    private sealed record Parameter(string Path, Tensor Weight, Tensor First, Tensor Second, bool Decays);

    private readonly struct Pointers(float* weight, float* gradient, float* first, float* second)
    {
        public float* Weight { get; } = weight;

        public float* Gradient { get; } = gradient;

        public float* First { get; } = first;

        public float* Second { get; } = second;
    }

    private sealed class Region(AdamW owner, BlockAction action) : IRegion
    {
        public void Execute(Worker worker)
        {
            (int start, int end) = worker.Range(owner.blocks.Length);
            for (int block = start; block < end; block++)
            {
                (int parameter, int first) = owner.blocks[block];
                action(block, parameter, first, Math.Min(BlockLength, owner.parameters[parameter].Weight.Count - first));
            }
        }
    }
}
