using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Evaluation;

/// <summary>Measures how much a model's loss on a text grows when its matrices are stored in smaller types.</summary>
/// <remarks>Costs are differences on the same tokens, so their error is far below the variation of the loss between texts.</remarks>
internal sealed class QuantizationStudy : IDisposable
{
    private readonly MambaLanguageModel model;
    private readonly int[] tokens;
    private readonly int window;
    private readonly int threads;
    private readonly CpuExecutor executor;

    /// <summary>Prepares the model and measures the baseline.</summary>
    /// <param name="model">The weights; kept.</param>
    /// <param name="tokens">The text: at least two token ids.</param>
    /// <param name="window">Tokens of a window, see <see cref="Likelihood.Measure"/>.</param>
    /// <param name="threads">0 for one per processor. Their number does not change a result.</param>
    /// <param name="cancellationToken">Checked between chunks of the text.</param>
    public QuantizationStudy(
        MambaLanguageModel model, ReadOnlySpan<int> tokens, int window = 2048, int threads = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        (this.model, this.tokens, this.window, this.threads) = (model, tokens.ToArray(), window, threads);
        executor = new(model, threads);
        try
        {
            Baseline = Likelihood.Measure(executor, this.tokens, window, null, cancellationToken);
        }
        catch
        {
            executor.Dispose();
            throw;
        }
    }

    /// <summary>The types in which a matrix may be stored, largest first.</summary>
    public static IReadOnlyList<ElementType> Types { get; } =
    [
        ElementType.Float16, ElementType.BFloat16, ElementType.Q8_0, ElementType.Q6_K, ElementType.Q5_1, ElementType.Q5_K, ElementType.Q5_0,
        ElementType.Q4_1, ElementType.Q4_K, ElementType.Q4_0, ElementType.Q3_K, ElementType.Q2_K,
    ];

    /// <summary>The likelihood of the text under the unchanged model.</summary>
    public Likelihood Baseline { get; }

    /// <summary>Measures every matrix in every type that is smaller than its own and that its rows fit.</summary>
    /// <param name="types">The candidates; null for all of <see cref="Types"/>.</param>
    /// <param name="progress">Receives the name of the tensor and the share of all work done, 0 to 1, after each candidate; null for none.</param>
    /// <param name="cancellationToken">Checked within each candidate.</param>
    public QuantizationReport Run(
        IReadOnlyList<ElementType>? types = null, IProgress<(string Tensor, double Share)>? progress = null, CancellationToken cancellationToken = default)
    {
        (string Name, Tensor Tensor, ElementType[] Types)[] all =
            [.. model.Describe().Where(p => p.Info.IsMatrix).Select(p => (p.Path, p.Tensor, Fitting(p.Tensor, types ?? Types)))];
        (int done, int total) = (0, all.Sum(entry => entry.Types.Length));
        List<QuantizedTensor> found = [];
        foreach ((string name, Tensor tensor, ElementType[] candidates) in all)
        {
            List<QuantizationCandidate> results = [];
            foreach (ElementType type in candidates)
            {
                Tensor held = tensor.ConvertWeight(type, threads, name);
                double cost = Cost(new Dictionary<string, Tensor> { [name] = held }, cancellationToken);
                results.Add(new(type, held.ByteLength, TensorConversion.RelativeError(tensor, held), cost));
                progress?.Report((name, ++done / (double)total));
            }

            found.Add(new(name, tensor, results));
        }

        return new(Baseline, found);
    }

    /// <summary>The loss increase, in nats per token, with several tensors in other types together.</summary>
    /// <param name="types">By the tensors' names; tensors that are not named keep their type.</param>
    /// <param name="cancellationToken">Checked between chunks of the text.</param>
    public double Measure(IReadOnlyDictionary<string, ElementType> types, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(types);
        return Cost(
            model.Parameters().Where(p => types.ContainsKey(p.Key)).ToDictionary(p => p.Key, p => p.Value.ConvertWeight(types[p.Key], threads, p.Key)), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => executor.Dispose();

    private double Cost(Dictionary<string, Tensor> held, CancellationToken cancellationToken)
    {
        MambaLanguageModel changed = model.Map("", (path, tensor) => held.GetValueOrDefault(path, tensor));
        executor.Repack(model, changed);
        try
        {
            return Likelihood.Measure(executor, tokens, window, null, cancellationToken).NatsPerToken - Baseline.NatsPerToken;
        }
        finally
        {
            executor.Repack(changed, model);
        }
    }

    private static ElementType[] Fitting(Tensor tensor, IReadOnlyList<ElementType> types) =>
        [.. types.Where(type => tensor.Shape[^1] % type.BlockLength() == 0 && type.ByteLength(tensor.Count) < tensor.ByteLength).OrderByDescending(type => type.ByteLength(tensor.Count))];
}
