using Mamba.Managed.Generation;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>Vectors of texts.</summary>
public class EmbeddingGeneratorTests
{
    [Test]
    public async Task Vectors_come_in_the_order_of_the_texts_with_their_usage([Values] Pooling pooling)
    {
        using Bed bed = new();
        MambaEmbeddingGenerator generator = new(bed.Model, bed.Engine, pooling);
        string[] texts = [.. Enumerable.Range(0, 100).Select(i => new string((char)('a' + (i % 26)), 1 + i))];
        GeneratedEmbeddings<Embedding<float>> vectors = await generator.GenerateAsync(texts);
        Assert.That(vectors, Has.Count.EqualTo(100));
        Assert.That((vectors.Usage!.InputTokenCount, vectors.Usage.TotalTokenCount), Is.EqualTo(((long?)5050, (long?)5050)));
        foreach (int i in (int[])[0, 7, 99])
        {
            Embedding<float> alone = await generator.GenerateAsync(texts[i]);
            Assert.That(alone.Vector.ToArray(), Is.EqualTo(vectors[i].Vector.ToArray()));
            Assert.That(alone.Vector.ToArray().Sum(value => value * value), Is.EqualTo(1).Within(1e-5));
            Assert.That((alone.ModelId, alone.Dimensions), Is.EqualTo(("tiny", 16)));
        }

        float[] raw = (await new MambaEmbeddingGenerator(bed.Model, bed.Engine, pooling, normalize: false).GenerateAsync(texts[7])).Vector.ToArray();
        Assert.That(raw, Is.EqualTo(await bed.Engine.EmbedAsync(new(bed.Model.Tokenizer.Encode(texts[7])), pooling)));
    }

    [Test]
    public async Task What_is_not_there_is_refused_by_name()
    {
        using Bed bed = new();
        MambaEmbeddingGenerator generator = new(bed.Model, bed.Engine);
        EmbeddingGeneratorMetadata metadata = generator.GetRequiredService<EmbeddingGeneratorMetadata>();
        Assert.That((metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions), Is.EqualTo(("mamba", "tiny", (int?)16)));
        Assert.That(async () => await generator.GenerateAsync(["x"], new() { Dimensions = 8 }), Throws.ArgumentException.With.Message.Contains("16"));
        Assert.That(async () => await generator.GenerateAsync(["x"], new() { ModelId = "other" }), Throws.ArgumentException.With.Message.Contains("other"));
        Assert.That(async () => await generator.GenerateAsync(["x"], cancellationToken: new(true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await generator.GenerateAsync([]), Is.Empty);
        Assert.That(await generator.GenerateAsync([""]), Has.Count.EqualTo(1));
    }
}
