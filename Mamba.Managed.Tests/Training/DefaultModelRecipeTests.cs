using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>What <c>eng/train-default-model.sh</c> begins with: a change here changes the model that the recipe gives.</summary>
public class DefaultModelRecipeTests
{
    private static readonly MambaConfig config = new() { DModel = 224, NLayer = 11, VocabSize = 256 };

    [Test]
    public void The_first_weights_are_those_of_the_run()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 1);
        Assert.That(model.Config.ParameterCount, Is.EqualTo(3_780_672));
        float[] found = [model.HeadWeight.Floats[0], model.Layers[10].Mixer.InProj.Weight.Floats[7], model.Layers[10].Mixer.OutProj.Weight.Floats[^1]];
        Assert.That(found, Is.EqualTo(new[] { -0.00068534643f, 0.011372199f, -0.004077033f }).Within(1e-8));
    }

    [Test]
    public void The_first_windows_are_those_of_the_run()
    {
        const int Tokens = 1_015_394;
        TokenDocuments documents = TokenDocuments.Of([[.. Enumerable.Range(0, Tokens)]]);
        BatchSampler sampler = new(documents, 0, Tokens, config, new BatchOptions { Windows = 8, Length = 512, Seed = 1 });
        Assert.That(Starts(0), Is.EqualTo(new[] { 713272, 410168, 304184, 312376, 180280, 1013304, 65080, 956984 }));
        Assert.That(Starts(1029), Is.EqualTo(new[] { 48732, 395356, 1009756, 777308, 234076, 1008732, 299100, 34396 }));

        int[] Starts(long batch) => [.. sampler.Batch(batch).Tokens.ToArray().Chunk(512).Select(window => window[0])];
    }
}
