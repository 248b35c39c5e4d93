using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>Returns the tensor that replaces the parameter at a path.</summary>
/// <param name="path">The parameter's name in a checkpoint, for example <c>backbone.layers.0.mixer.D</c>.</param>
/// <param name="tensor">The present parameter.</param>
public delegate Tensor ParameterMap(string path, Tensor tensor);

/// <summary>As <see cref="ParameterMap"/>, with the description of the parameter.</summary>
/// <remarks>The returned tensor is not checked until the layer is validated, so that a tree whose shapes do not agree can be enumerated too.</remarks>
internal delegate Tensor DescribedMap(string path, Tensor tensor, ParameterInfo info);

/// <summary>A tree of named parameters that can be rebuilt with each parameter replaced.</summary>
/// <remarks>Loading, saving, casting, counting and optimizing all derive from this one operation.</remarks>
/// <typeparam name="TSelf">The layer itself.</typeparam>
public interface IParameterTree<out TSelf>
{
    /// <summary>The same tree with every parameter passed through <paramref name="map"/>, in the order of the fields; a shared parameter once.</summary>
    /// <param name="path">The path of this tree, without a dot at its end; empty for a whole model.</param>
    /// <param name="map">Returns the replacement of each parameter.</param>
    TSelf Map(string path, ParameterMap map);
}

/// <summary>Operations on all parameters of a tree, derived from <see cref="IParameterTree{TSelf}.Map"/>.</summary>
public static class ParameterTrees
{
    /// <summary>Every parameter with its path, in the order of the fields.</summary>
    public static IReadOnlyList<KeyValuePair<string, Tensor>> Parameters<TTree>(this IParameterTree<TTree> tree, string path = "")
    {
        ArgumentNullException.ThrowIfNull(tree);
        List<KeyValuePair<string, Tensor>> parameters = [];
        tree.Map(path, (name, tensor) =>
        {
            parameters.Add(new(name, tensor));
            return tensor;
        });
        return parameters;
    }

    /// <summary>Frees the memory of every parameter, without waiting for a collection: a tensor that is read or written afterwards throws.</summary>
    /// <remarks>Other trees that share a tensor with this one lose it too. The parameters of a <c>ModelSource</c> are disposed by the source.</remarks>
    public static void DisposeParameters<TTree>(this IParameterTree<TTree> tree)
    {
        foreach ((_, Tensor tensor) in tree.Parameters())
        {
            tensor.Buffer.Dispose();
        }
    }

    /// <summary>The path of <paramref name="name"/> below <paramref name="path"/>.</summary>
    internal static string Below(this string path, string name) => path.Length == 0 ? name : path + "." + name;

    /// <summary>A map that ignores the descriptions.</summary>
    internal static DescribedMap Described(this ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return (path, tensor, _) => map(path, tensor);
    }

    /// <summary>A parameter's values in single precision; none for one that is absent.</summary>
    internal static float[] ToFloats(this Tensor? tensor)
    {
        float[] values = new float[tensor?.Count ?? 0];
        tensor?.CopyTo(values);
        return values;
    }
}
