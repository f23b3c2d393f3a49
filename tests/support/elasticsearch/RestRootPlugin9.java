package local.restroot;

import java.util.List;
import java.util.function.Predicate;
import java.util.function.Supplier;

import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.IndexVersion;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

/** GET / and HEAD / : the stock rest-root module is not in the integ-test distribution. */
public class RestRootPlugin extends Plugin implements ActionPlugin {
    private ClusterService cs;

    @Override
    public java.util.Collection<?> createComponents(PluginServices services) {
        cs = services.clusterService();
        return List.of();
    }

    @Override
    public java.util.Collection<RestHandler> getRestHandlers(RestHandlersServices services,
            Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> feature) {
        return List.of(new Root());
    }

    private class Root extends BaseRestHandler {
        @Override public String getName() { return "local_root_action"; }

        @Override public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            return channel -> {
                Build b = Build.current();
                XContentBuilder x = channel.newBuilder().prettyPrint().startObject();
                x.field("name", cs.getNodeName());
                x.field("cluster_name", cs.getClusterName().value());
                x.field("cluster_uuid", cs.state().metadata().clusterUUID());
                x.startObject("version");
                x.field("number", b.qualifiedVersion());
                x.field("build_flavor", b.flavor());
                x.field("build_type", b.type().displayName());
                x.field("build_hash", b.hash());
                x.field("build_date", b.date());
                x.field("build_snapshot", b.isSnapshot());
                x.field("lucene_version", IndexVersion.current().luceneVersion().toString());
                x.field("minimum_wire_compatibility_version", b.minWireCompatVersion());
                x.field("minimum_index_compatibility_version", b.minIndexCompatVersion());
                x.endObject();
                x.field("tagline", "You Know, for Search");
                x.endObject();
                channel.sendResponse(new RestResponse(RestStatus.OK, x));
            };
        }
    }
}
