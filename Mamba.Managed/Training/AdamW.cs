using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>Adam with decoupled weight decay and clipping by the norm over all parameters; writes a model's weights in place.</summary>
/// <remarks>
/// Loshchilov and Hutter 2019; Pascanu et al. 2013 for the clipping. The moments are trees of the model's own shape. Matrices and
/// filters decay; A_log, D, biases and the scales of norms do not. The same bits with any
/// number of threads.
/// </remarks>
public sealed unsafe class AdamW
{
    /// <summary>The greatest learning rate that <see cref="Step"/> takes: far beyond what any model learns at.</summary>
    public const double MaxLearningRate = 1e6;

    private const int BlockLength = 1 << 16;

    private readonly Parameter[] parameters;
    private readonly (int Parameter, int Start)[] blocks;
    private readonly double[] squares;
    private readonly Gradients first;
    private readonly Gradients second;

    /// <summary>Prepares to train a model.</summary>
    /// <param name="model">Float32 weights in memory of their own, as <see cref="Weights.Copy"/> gives them; written by <see cref="Step"/>.</param>
    /// <param name="options">How to step; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the weights cannot be written.</exception>
    public AdamW(MambaLanguageModel model, AdamWOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Options = (options ?? new AdamWOptions()).Validate();
        Model = model;
        (first, second) = (new Gradients(model), new Gradients(model));
        parameters = [.. model.Describe().Select((weight, i) => Prepare(weight.Path, weight.Tensor, weight.Info, i))];
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
    /// <exception cref="ArgumentException">The gradients are those of another model, or the learning rate is out of range.</exception>
    /// <exception cref="NonFiniteException">A gradient is not finite; nothing was changed.</exception>
    public double Step(Gradients gradients, double learningRate, TrainingPass? pass = null)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        if (!(learningRate >= 0 && learningRate <= MaxLearningRate))
        {
            Throw.Argument(Throw.Invariant($"expected a learning rate from 0 to {MaxLearningRate}, found {learningRate}"), nameof(learningRate));
        }

        Throw.UnlessLength(parameters.Length, gradients.Parameters.Count, nameof(gradients));
        float*[] slopes = new float*[parameters.Length];
        for (int i = 0; i < slopes.Length; i++)
        {
            Throw.UnlessLength(parameters[i].Weight.Count, gradients.Parameters[i].Value.Count, nameof(gradients));
            slopes[i] = ParameterPointers.Of(gradients.Parameters[i].Value);
        }

        Share(pass, (block, parameter, start, count) => squares[block] = AdamWUpdate.SumOfSquares(slopes[parameter] + start, count));
        double norm = Norm();
        Steps++;
        AdamWUpdate[] updates = [.. parameters.Select(parameter => Update(parameter, norm, learningRate))];
        Share(pass, (_, i, start, count) => updates[i].Run(
            Of(parameters[i].Weight) + start, slopes[i] + start, Of(parameters[i].First) + start, Of(parameters[i].Second) + start, count));
        GC.KeepAlive(gradients);
        return norm;

        static float* Of(Tensor tensor) => ParameterPointers.Of(tensor);
    }

    private Parameter Prepare(string path, Tensor weight, ParameterInfo info, int index)
    {
        if (weight.Type != ElementType.Float32 || weight.Buffer.IsReadOnly)
        {
            Throw.Argument($"expected Float32 weights in memory of their own, found {weight} at {path}; copy the model with Weights.Copy", "model");
        }

        return new(path, weight, first.Parameters[index].Value, second.Parameters[index].Value, info.Decays);
    }

    private double Norm()
    {
        double total = 0, sum = 0;
        for (int block = 0; block < blocks.Length; block++)
        {
            sum += squares[block];
            if (block + 1 == blocks.Length || blocks[block + 1].Parameter != blocks[block].Parameter)
            {
                total += double.IsFinite(sum) ? sum : throw new NonFiniteException("the gradient of " + parameters[blocks[block].Parameter].Path);
                sum = 0;
            }
        }

        return Math.Sqrt(total);
    }

    private AdamWUpdate Update(Parameter parameter, double norm, double learningRate) => new()
    {
        // As in PyTorch, a little is added to the norm, so that a clipped gradient is just below the limit.
        GradientFactor = Options.MaxNorm > 0 ? (float)Math.Min(1, Options.MaxNorm / (norm + 1e-6)) : 1,
        Beta1 = Options.Beta1,
        Beta2 = Options.Beta2,
        Epsilon = Options.Epsilon,
        Keep = (float)Math.Max(0, 1 - (parameter.Decays ? learningRate * Options.WeightDecay : 0)),
        Rate = (float)(learningRate / (1 - Math.Pow(Options.Beta1, Steps))),
        Root = (float)(1 / Math.Sqrt(1 - Math.Pow(Options.Beta2, Steps))),
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
            pass.Pool.Run(region);
        }
    }

    private delegate void BlockAction(int block, int parameter, int start, int count);

    private sealed record Parameter(string Path, Tensor Weight, Tensor First, Tensor Second, bool Decays);

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
