using Mamba.Managed.Layers;

namespace Mamba.Managed.Models;

/// <summary>A parameter that a model of some configuration has.</summary>
/// <param name="Path">Its name in a checkpoint.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Info">Its description.</param>
internal readonly record struct ExpectedParameter(string Path, int[] Shape, ParameterInfo Info);

/// <summary>The parameters of a configuration: the one source of their names and shapes.</summary>
internal static class ModelParameters
{
    /// <summary>The path of the embedding.</summary>
    public const string Embedding = "backbone.embeddings.weight";

    /// <summary>The path of a head that is not tied.</summary>
    public const string Head = "lm_head.weight";

    /// <summary>Every parameter in the order in which those of a new model are drawn.</summary>
    /// <param name="config">Validated.</param>
    public static IEnumerable<ExpectedParameter> Of(MambaConfig config)
    {
        yield return new(Embedding, [config.VocabSize, config.DModel], ParameterInfo.Embedding);
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            foreach (ExpectedParameter parameter in OfBlock(config, Throw.Invariant($"backbone.layers.{layer}")))
            {
                yield return parameter;
            }
        }

        yield return new("backbone.norm_f.weight", [config.DModel], ParameterInfo.Scale);
        if (!config.TieEmbeddings)
        {
            yield return new(Head, [config.VocabSize, config.DModel], ParameterInfo.Head);
        }
    }

    private static IEnumerable<ExpectedParameter> OfBlock(MambaConfig config, string path)
    {
        (int width, int inner, int rank, int states) = (config.DModel, config.DInner, config.DtRank, config.DState);
        yield return new(path + ".norm.weight", [width], ParameterInfo.Scale);
        path += ".mixer";
        yield return new(path + ".in_proj.weight", [2 * inner, width], ParameterInfo.Projection);
        if (config.InProjBias)
        {
            yield return new(path + ".in_proj.bias", [2 * inner], ParameterInfo.Bias);
        }

        yield return new(path + ".conv1d.weight", [inner, 1, config.DConv], ParameterInfo.Filter);
        if (config.ConvBias)
        {
            yield return new(path + ".conv1d.bias", [inner], ParameterInfo.FilterBias);
        }

        yield return new(path + ".x_proj.weight", [rank + (2 * states), inner], ParameterInfo.XProj);
        yield return new(path + ".dt_proj.weight", [inner, rank], ParameterInfo.DtProj);
        yield return new(path + ".dt_proj.bias", [inner], ParameterInfo.DtBias);
        yield return new(path + ".A_log", [inner, states], ParameterInfo.Transition);
        yield return new(path + ".D", [inner], ParameterInfo.Skip);
        yield return new(path + ".out_proj.weight", [width, inner], ParameterInfo.OutProj);
        if (config.OutProjBias)
        {
            yield return new(path + ".out_proj.bias", [width], ParameterInfo.Bias);
        }
    }
}
