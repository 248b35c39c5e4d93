using System.Numerics.Tensors;
using Mamba.Managed.Generation;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions;

/// <summary>Vectors of texts by a model in this process, in passes shared with those that generate; used by any number of threads at once.</summary>
public sealed class MambaEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    // As many texts of one call are under way at once; more would leave less of the queue to others.
    private const int Together = 32;

    private readonly MambaModel model;
    private readonly GenerationEngine engine;
    private readonly Pooling pooling;
    private readonly bool normalize;
    private readonly MambaTelemetry? telemetry;
    private readonly EmbeddingGeneratorMetadata metadata;

    /// <summary>A generator of a model.</summary>
    /// <param name="model">The model, which outlives the generator.</param>
    /// <param name="engine">The engine of that model, which outlives the generator.</param>
    /// <param name="pooling">How the vectors of a text's tokens become one.</param>
    /// <param name="normalize">Whether vectors are scaled to length 1.</param>
    /// <param name="telemetry">Takes measurements; null for none.</param>
    public MambaEmbeddingGenerator(MambaModel model, GenerationEngine engine, Pooling pooling = Pooling.Last, bool normalize = true, MambaTelemetry? telemetry = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(engine);
        (this.model, this.engine, this.pooling, this.normalize, this.telemetry) = (model, engine, pooling, normalize, telemetry);
        metadata = new(MambaTelemetry.Provider, null, model.Name, model.Executor.Config.DModel);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Another model or number of dimensions is asked for, or a text is empty and the tokenizer has no token to begin from.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        Check(options);
        using TelemetryOperation? operation = telemetry?.Begin("embeddings", model.Name);
        try
        {
            int[][] texts = [.. values.Select(Encode)];
            Embedding<float>[] vectors = new Embedding<float>[texts.Length];
            ParallelOptions parallel = new() { MaxDegreeOfParallelism = Together, CancellationToken = cancellationToken };
            await Parallel.ForAsync(0, texts.Length, parallel, async (i, canceled) =>
            {
                float[] vector = await engine.EmbedAsync(new(texts[i]), pooling, canceled).ConfigureAwait(false);
                vectors[i] = new(normalize ? Normalize(vector) : vector) { CreatedAt = DateTimeOffset.UtcNow, ModelId = model.Name };
            }).ConfigureAwait(false);

            long tokens = texts.Sum(text => (long)text.Length);
            operation?.End(tokens, 0, 0);
            return new(vectors) { Usage = new() { InputTokenCount = tokens, TotalTokenCount = tokens } };
        }
        catch (Exception error)
        {
            operation?.Fail(error);
            throw;
        }
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        object[] services = [this, metadata, engine, model];
        return serviceKey is null ? services.FirstOrDefault(serviceType.IsInstanceOfType) : null;
    }

    /// <summary>Nothing: model and engine are others'.</summary>
    public void Dispose()
    {
    }

    private void Check(EmbeddingGenerationOptions? options)
    {
        if (options?.ModelId is { } id && id != model.Name)
        {
            throw new ArgumentException($"expected the model '{model.Name}', found '{id}'; ask the generator of that model", nameof(options));
        }

        if (options?.Dimensions is int dimensions && dimensions != model.Executor.Config.DModel)
        {
            throw new ArgumentException($"expected the model's {model.Executor.Config.DModel} dimensions, found {dimensions}; leave them out", nameof(options));
        }
    }

    private int[] Encode(string text)
    {
        int[] tokens = model.Tokenizer.Encode(text, addSpecialTokens: true, controlTokens: false);
        return tokens.Length > 0 ? tokens
            : [model.Tokenizer.EndTokenId ?? throw new ArgumentException("expected some text, found an empty one; this tokenizer has no token to begin a text with", nameof(text))];
    }

    private static float[] Normalize(float[] vector)
    {
        float length = TensorPrimitives.Norm<float>(vector);
        return length > 0 ? Array.ConvertAll(vector, value => value / length) : vector;
    }
}
